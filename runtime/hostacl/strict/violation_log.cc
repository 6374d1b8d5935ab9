// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/strict/violation_log.h"

#include <fmt/format.h>

#include <boost/json.hpp>
#include <cstdio>
#include <cstdlib>
#include <memory>

namespace omserve::hostacl {
namespace {

// A program that does one thing wrong for ever must not fill the memory.
constexpr size_t kSaidLimit = 10000;

void AppendLine(const std::string& path, Violation violation, const std::string& text) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "ae"), &std::fclose);
  if (file == nullptr) {
    fmt::print(stderr, "hostacl: strict mode: '{}' cannot be written\n", path);
    return;
  }
  const std::string_view name = ViolationName(violation);
  const boost::json::object line{{"violation", boost::json::string_view(name.data(), name.size())},
                                 {"text", text}};
  fmt::print(file.get(), "{}\n", boost::json::serialize(line));
}

}  // namespace

std::string_view ViolationName(Violation violation) {
  switch (violation) {
    case Violation::kUnorderedAccess:
      return "unordered_access";
    case Violation::kUseAfterFree:
      return "use_after_free";
    case Violation::kFreedInUse:
      return "freed_in_use";
    case Violation::kWrongContext:
      return "wrong_context";
    case Violation::kStaleHandle:
      return "stale_handle";
    case Violation::kModelOnTwoStreams:
      return "model_on_two_streams";
    case Violation::kPageableCopy:
      return "pageable_copy";
    case Violation::kLeak:
      return "leak";
  }
  return "violation";
}

void ViolationLog::Report(Violation violation, const std::string& text) {
  const MutexLock lock(mu_);
  if (said_.size() >= kSaidLimit || !said_.insert(text).second) {
    return;
  }
  fmt::print(stderr, "hostacl: strict mode: {}: {}\n", ViolationName(violation), text);
  if (!path_.empty()) {
    AppendLine(path_, violation, text);
  }
  if (level_ == StrictLevel::kAbort) {
    std::fflush(stderr);
    std::abort();
  }
}

}  // namespace omserve::hostacl
