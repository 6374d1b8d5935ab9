// SPDX-License-Identifier: Apache-2.0
// `omc sign`: a signature over a version of a model.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace omserve::omc {

struct SignOptions {
  std::string model_folder;
  int64_t version = 0;                     // 1 or more.
  std::string key_path;                    // PEM.
  std::string certificate_path;            // PEM, the signer's first; empty: none.
  std::optional<uint64_t> security_epoch;  // See trust::Statement.
  uint64_t shard_bytes = 0;                // 0: whole files.
  std::string output_path;                 // Empty: model.sig in the version's folder.
  int threads = 1;                         // That compute digests.
};

// Signs, and gives what to print, with a line feed at its end. Blocks while files are read. Errors:
// kNotFound for folders and files; kInvalidArgument for keys, certificates and files that cannot be
// used, and for an output that would itself be a file in scope.
absl::StatusOr<std::string> SignFolder(const SignOptions& options);

}  // namespace omserve::omc
