// SPDX-License-Identifier: Apache-2.0
// The words of a statement's JSON. Internal to runtime/trust.
#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace omserve::trust {

inline constexpr std::string_view kStatementType = "https://in-toto.io/Statement/v1";
inline constexpr std::string_view kPredicateType = "https://model_signing/signature/v1.0";
inline constexpr std::string_view kSha256 = "sha256";
inline constexpr std::string_view kFilesMethod = "files";
inline constexpr std::string_view kShardsMethod = "shards";
inline constexpr std::string_view kModelKey = "omserve.model";
inline constexpr std::string_view kVersionKey = "omserve.version";
inline constexpr std::string_view kEpochKey = "omserve.security_epoch";

// What the `algorithm` of resources is, which upstream compares with the digest.
inline std::string AlgorithmName(uint64_t shard_bytes) {
  return shard_bytes == 0 ? std::string(kSha256) : fmt::format("sha256-sharded-{}", shard_bytes);
}

}  // namespace omserve::trust
