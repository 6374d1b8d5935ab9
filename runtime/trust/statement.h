// SPDX-License-Identifier: Apache-2.0
// What a signature says of a model: the digest of every file, and which model and version they are.
//
// Sources: in-toto Statement v1; OpenSSF Model Signing v1.0 (model_signing/signature/v1.0).
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/trust/digest.h"

namespace omserve::trust {

// Of the JSON, which bounds everything in it.
inline constexpr size_t kMostStatementBytes = size_t{16} << 20;
inline constexpr size_t kMostResources = 65'536;
inline constexpr size_t kMostIgnoredPaths = 65'536;
inline constexpr size_t kMostNameBytes = 1024;
// JSON numbers are exact up to here in every reader.
inline constexpr uint64_t kMostSecurityEpoch = (uint64_t{1} << 53) - 1;

// A file, or a shard of one.
struct Resource {
  std::string name;  // Relative to the model's folder, such as "2/model.om"; see CheckName.
  ByteRange range;   // Of a shard; {0, 0} for a whole file.
  Digest digest{};

  bool operator==(const Resource&) const = default;
};

struct Serialization {
  uint64_t shard_bytes = 0;  // 0: whole files (method "files"), else shards.
  bool allow_symlinks = false;
  // Files and folders that the signer left out, relative to the model's folder. No patterns.
  std::vector<std::string> ignore_paths;

  bool operator==(const Serialization&) const = default;
};

struct Statement {
  std::string model;  // The subject's name.
  // In the subject's annotations, and so absent where others signed: "omserve.version",
  std::optional<int64_t> version;
  // "omserve.security_epoch": a count that a signer raises when older signatures shall no longer
  // do, at most kMostSecurityEpoch. "omserve.model" repeats the model.
  std::optional<uint64_t> security_epoch;
  Serialization serialization;
  std::vector<Resource> resources;  // In the signer's order; no two are of the same bytes.

  bool operator==(const Statement&) const = default;
};

// Relative, of parts that are separated by single '/', none of which is "." or "..", in UTF-8
// without control characters, at most kMostNameBytes. Errors: kInvalidArgument.
absl::Status CheckName(std::string_view name);

// SHA-256 over the digests one after the other: the subject's digest.
Digest RootDigest(std::span<const Resource> resources);

// As JSON. Errors: kInvalidArgument for what ParseStatement would refuse.
absl::StatusOr<std::string> WriteStatement(const Statement& statement);

// Fields that it does not know are passed over, as in-toto and the predicate ask for. Errors:
// kInvalidArgument with "statement: " in front, naming the field.
absl::StatusOr<Statement> ParseStatement(std::string_view json);

}  // namespace omserve::trust
