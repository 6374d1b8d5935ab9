// SPDX-License-Identifier: Apache-2.0
// A library opened at run time. Never closed: vendor libraries own threads and exit handlers.
#pragma once

#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve {

class DynamicLibrary final {
 public:
  // Tries each name in order. kUnavailable naming every name tried and the loader's words.
  static absl::StatusOr<DynamicLibrary> Open(std::span<const std::string> names);

  // A name that did not open, and the loader's words.
  struct Failure {
    std::string name;
    std::string reason;
  };
  // The same, for a caller that looks into the reasons: `failures` gets the names that were tried
  // in vain, also when a later one opens.
  static absl::StatusOr<DynamicLibrary> Open(std::span<const std::string> names,
                                             std::vector<Failure>& failures);

  // Null when absent.
  void* Find(const char* symbol) const;
  // The name that opened.
  const std::string& name() const { return name_; }
  // The file that the loader found under that name, links followed.
  std::string path() const;

 private:
  DynamicLibrary(void* handle, std::string name) : handle_(handle), name_(std::move(name)) {}

  void* handle_;
  std::string name_;
};

// The folder of the running program, without a trailing slash.
std::string ProgramFolder();

}  // namespace omserve
