// SPDX-License-Identifier: Apache-2.0
// A program that prints a key: how key management services and tokens are joined without knowing
// any of them here.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/sealed/secret_bytes.h"

namespace omserve::sealed {

struct HelperCommand {
  // The program, found on PATH unless it has a '/', and its arguments. No shell reads them.
  std::vector<std::string> arguments;
  // In which it must end; then it and what it started are killed.
  std::chrono::milliseconds timeout{30'000};
};

// What the command writes to its standard output. It has this process's environment, no standard
// input, no other descriptor of this process, and a process group of its own. Blocks until it ends.
// Errors: kInvalidArgument for no command; kUnavailable when it cannot be started, fails, takes too
// long or writes more than 64 KiB (fixed), with the last of what it wrote to its standard error,
// which therefore must not hold secrets.
absl::StatusOr<SecretBytes> RunHelperCommand(const HelperCommand& command);

}  // namespace omserve::sealed
