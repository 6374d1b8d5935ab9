// SPDX-License-Identifier: Apache-2.0
// Versions of models: which of those on disk are served, and what a client's version text means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/inference/model_config.pb.h"

namespace omserve::server {

// The versions of `found` (ascending) that `policy` asks for, ascending; an unset policy is the
// latest one. Errors: kInvalidArgument when a specific version is not there, naming those that are.
absl::StatusOr<std::vector<int64_t>> SelectVersions(const inference::ModelVersionPolicy& policy,
                                                    const std::vector<int64_t>& found);

// nullopt for "", which means the highest version served. Errors: kInvalidArgument when `text` is
// not a whole number above 0, in Triton's words.
absl::StatusOr<std::optional<int64_t>> ParseVersion(const std::string& text);

}  // namespace omserve::server
