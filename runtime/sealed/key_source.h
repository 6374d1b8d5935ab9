// SPDX-License-Identifier: Apache-2.0
// Where a secret is read from: a file, a descriptor, or the output of a command. What stands in an
// environment variable is handed in by the program: nothing below `config` looks there.
#pragma once

#include <string>
#include <variant>

#include "absl/status/statusor.h"
#include "runtime/sealed/helper_command.h"
#include "runtime/sealed/secret_bytes.h"

namespace omserve::sealed {

struct SecretFile {
  std::string path;
};
// Read to its end and left open; a pipe, or a here-document of a shell.
struct SecretDescriptor {
  int fd = -1;
};
struct SecretVariable {
  std::string name;   // For errors.
  const char* value;  // As getenv gives it; null when the variable is not set.
};
using SecretSource = std::variant<SecretFile, SecretDescriptor, SecretVariable, HelperCommand>;

// At most 64 KiB, straight into memory for secrets. Blocks. Errors name the source: kNotFound,
// kInvalidArgument for what cannot be read, is empty or is longer; those of RunHelperCommand.
absl::StatusOr<SecretBytes> ReadSecret(const SecretSource& source);

// "key file 'a.key'", for errors about what was read.
std::string NameOf(const SecretSource& source);

}  // namespace omserve::sealed
