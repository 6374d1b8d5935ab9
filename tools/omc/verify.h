// SPDX-License-Identifier: Apache-2.0
// `omc verify`: whether a model is as somebody who is trusted signed it.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"

namespace omserve::omc {

struct VerifyOptions {
  std::string model_folder;
  std::optional<int64_t> version;  // Left out: every version there is.
  // One of both: PEM of keys, or of authorities for certificates.
  std::string public_key_path;
  std::string ca_path;
  std::string identity;  // Pattern for the signer's name; empty: any that the authority gives.
  std::string signature_path;  // Of one version; empty: model.sig in the version's folder.
  bool as_json = false;
  int threads = 1;  // That compute digests.
};

// Checks certificates as of `now`. Gives what to print, with a line feed at its end. Blocks while
// files are read. Errors: those of the first version that is not good, with the version in front.
absl::StatusOr<std::string> VerifyFolder(const VerifyOptions& options,
                                         std::chrono::system_clock::time_point now);

}  // namespace omserve::omc
