// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/open_library.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"

namespace omserve::acl {
namespace {

using Failure = DynamicLibrary::Failure;

// Where omserve's own libascendcl.so may lie, seen from the program: a build, an installation.
std::vector<std::string> HostLibraryPlaces() {
  const std::string program = ProgramFolder();
  return {program + "/../lib/libascendcl.so", program + "/../lib/omserve/libascendcl.so",
          program + "/libascendcl.so"};
}

// Why a library did not open; ascending by how much it tells of the machine.
enum class Trouble : uint8_t {
  kAbsent,      // No file of this name.
  kDamaged,     // A file that is no library for this machine, or not readable.
  kNotSourced,  // A library that it needs is not found.
  kNoDriver,    // That of the NPU's driver is not found.
};

Trouble TroubleOf(const Failure& failure) {
  constexpr std::string_view kNotThere = ": cannot open shared object file: No such file";
  const std::string_view reason = failure.reason;
  const size_t end = reason.find(kNotThere);
  if (end == std::string_view::npos) {
    return Trouble::kDamaged;
  }
  const std::string_view missing = reason.substr(0, end);
  if (missing == failure.name) {
    return Trouble::kAbsent;
  }
  // CANN's libraries need some of the driver's; the first that the loader misses is this one.
  return missing == "libascend_hal.so" ? Trouble::kNoDriver : Trouble::kNotSourced;
}

std::string_view RemedyFor(Trouble trouble) {
  switch (trouble) {
    case Trouble::kAbsent:
      return "install CANN and source its set_env.sh";
    case Trouble::kDamaged:
      return "the file is not readable, damaged or made for another processor: install CANN for "
             "this one";
    case Trouble::kNotSourced:
      return "libraries of CANN that it needs are not in the loader's path: source CANN's "
             "set_env.sh";
    case Trouble::kNoDriver:
      break;
  }
  return "the NPU's driver is missing: install it, or mount /usr/local/Ascend/driver into the "
         "container and name its lib64/driver and lib64/common in LD_LIBRARY_PATH";
}

Trouble WorstOf(const std::vector<Failure>& failures) {
  Trouble worst = Trouble::kAbsent;
  for (const Failure& failure : failures) {
    worst = std::max(worst, TroubleOf(failure));
  }
  return worst;
}

std::string HostDeviceHint() {
  for (const std::string& place : HostLibraryPlaces()) {
    std::error_code error;
    const std::filesystem::path path = std::filesystem::canonical(place, error);
    if (!error) {
      return fmt::format("without an NPU name the CPU device: '{}'", path.string());
    }
  }
  return "without an NPU name the CPU device's libascendcl.so that is shipped with omserve";
}

}  // namespace

absl::StatusOr<OpenedLibrary> OpenLibrary(const std::string& path) {
  std::vector<std::string> names = {path};
  if (path.empty()) {
    names = HostLibraryPlaces();
    names.insert(names.begin(), "libascendcl.so");
  }
  std::vector<Failure> failures;
  absl::StatusOr<DynamicLibrary> library = DynamicLibrary::Open(names, failures);
  const Trouble trouble = WorstOf(failures);
  if (!library.ok()) {
    return Unavailable("AscendCL: {}; {}; {}", MessageOf(library.status()), RemedyFor(trouble),
                       HostDeviceHint());
  }
  OpenedLibrary opened{.library = *std::move(library), .passed_over = ""};
  if (trouble != Trouble::kAbsent) {
    const auto found = std::ranges::find(failures, trouble, TroubleOf);
    opened.passed_over = fmt::format("'{}' could not be opened ({}); {}", found->name,
                                     found->reason, RemedyFor(trouble));
  }
  return opened;
}

}  // namespace omserve::acl
