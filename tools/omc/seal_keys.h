// SPDX-License-Identifier: Apache-2.0
// Keys as the options of `omc seal`, `open` and `rekey` give them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/sealed/key_ring.h"
#include "runtime/sealed/key_source.h"
#include "runtime/sealed/recipients.h"

namespace omserve::omc {

// At most one of the first four is given.
struct SharedKeyOptions {
  std::string file;
  std::string variable;
  int fd = -1;
  std::string command;  // Words between spaces; nothing is quoted.
  int command_timeout_s = 30;
  std::string id;  // Empty: computed from the key.

  bool is_given() const {
    return !file.empty() || !variable.empty() || fd >= 0 || !command.empty();
  }
};

// The source that the options name, with the variable's value. Requires: is_given().
sealed::SecretSource SourceOf(const SharedKeyOptions& options);

// For whom to seal: certificates and public keys in PEM, and a shared key. Blocks. Errors:
// kInvalidArgument without any; those of reading.
absl::StatusOr<sealed::Recipients> ReadRecipients(const std::vector<std::string>& public_key_files,
                                                  const SharedKeyOptions& shared_key);

// What to open with: private keys in PEM, and a shared key. Blocks. Errors as above.
absl::StatusOr<sealed::KeyRing> ReadKeyRing(const std::vector<std::string>& private_key_files,
                                            const SharedKeyOptions& shared_key);

}  // namespace omserve::omc
