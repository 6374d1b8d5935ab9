// SPDX-License-Identifier: Apache-2.0
// A library opened at run time. Never closed: vendor libraries own threads and exit handlers.
#pragma once

#include <span>
#include <string>

#include "absl/status/statusor.h"

namespace omserve {

class DynamicLibrary final {
 public:
  // Tries each name in order. kUnavailable naming every name tried and the loader's words.
  static absl::StatusOr<DynamicLibrary> Open(std::span<const std::string> names);

  // Null when absent.
  void* Find(const char* symbol) const;
  // The name that opened.
  const std::string& name() const { return name_; }

 private:
  DynamicLibrary(void* handle, std::string name) : handle_(handle), name_(std::move(name)) {}

  void* handle_;
  std::string name_;
};

// The folder of the running program, without a trailing slash.
std::string ProgramFolder();

}  // namespace omserve
