// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/dynamic_library.h"

#include <dlfcn.h>
#include <link.h>

#include <filesystem>
#include <system_error>

#include "runtime/base/errors.h"

namespace omserve {

absl::StatusOr<DynamicLibrary> DynamicLibrary::Open(std::span<const std::string> names) {
  std::vector<Failure> failures;
  return Open(names, failures);
}

absl::StatusOr<DynamicLibrary> DynamicLibrary::Open(std::span<const std::string> names,
                                                    std::vector<Failure>& failures) {
  std::string tried;
  for (const std::string& name : names) {
    void* handle = dlopen(name.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (handle != nullptr) {
      return DynamicLibrary(handle, name);
    }
    const char* reason = dlerror();  // NOLINT(concurrency-mt-unsafe): thread-local in glibc.
    failures.push_back({.name = name, .reason = reason == nullptr ? "no reason given" : reason});
    tried += fmt::format("{}'{}' ({})", tried.empty() ? "" : ", ", name, failures.back().reason);
  }
  return Unavailable("no library could be opened; tried {}", tried);
}

void* DynamicLibrary::Find(const char* symbol) const { return dlsym(handle_, symbol); }

std::string DynamicLibrary::path() const {
  const link_map* map = nullptr;
  if (dlinfo(handle_, RTLD_DI_LINKMAP, &map) != 0) {
    return name_;
  }
  std::error_code error;
  const std::filesystem::path file = std::filesystem::canonical(map->l_name, error);
  return error ? name_ : file.string();
}

std::string ProgramFolder() {
  std::error_code error;
  const std::filesystem::path program = std::filesystem::read_symlink("/proc/self/exe", error);
  return error ? std::string(".") : program.parent_path().string();
}

}  // namespace omserve
