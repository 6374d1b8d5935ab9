// SPDX-License-Identifier: Apache-2.0
// Finds libascendcl.so, and tells what to do where it is not to be had.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "runtime/base/dynamic_library.h"

namespace omserve::acl {

struct OpenedLibrary {
  DynamicLibrary library;
  // Not empty when a CANN installation was found first and could not be opened: one line with the
  // loader's words and the remedy.
  std::string passed_over;
};

// `path` is the one file to open; empty: the loader's own search first (a CANN installation), then
// the CPU device shipped beside the program.
// Errors: kUnavailable naming the files tried, the loader's words, and the remedy for them: CANN
// not installed, its environment not set, its driver missing, a file of another machine.
absl::StatusOr<OpenedLibrary> OpenLibrary(const std::string& path);

}  // namespace omserve::acl
