// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <limits>
#include <system_error>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/json_fields.h"
#include "runtime/base/split.h"
#include "runtime/trust/statement.h"
#include "runtime/trust/statement_names.h"

namespace omserve::trust {
namespace {

namespace json = boost::json;

// What upstream's tool cuts files into by default is 1 GB; a bound keeps sums of offsets far from
// overflow.
constexpr uint64_t kMostShardBytes = uint64_t{1} << 50;
constexpr uint64_t kMostFileBytes = uint64_t{1} << 60;

// A whole number as it is usually written; nullopt for any other text.
std::optional<uint64_t> Offset(std::string_view text) {
  uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const std::from_chars_result result = std::from_chars(text.data(), end, value);
  const bool is_plain = text.size() == 1 || !text.starts_with('0');
  return result.ec == std::errc() && result.ptr == end && is_plain && value <= kMostFileBytes
             ? std::optional(value)
             : std::nullopt;
}

absl::Status ReadShardName(uint64_t shard_bytes, Resource& resource) {
  const std::string whole = resource.name;
  const std::vector<std::string_view> parts = Split(whole, ':');
  const std::optional<uint64_t> begin = parts.size() == 3 ? Offset(parts[1]) : std::nullopt;
  const std::optional<uint64_t> end = parts.size() == 3 ? Offset(parts[2]) : std::nullopt;
  if (!begin.has_value() || !end.has_value() || *begin >= *end || *begin % shard_bytes != 0 ||
      *end - *begin > shard_bytes) {
    return InvalidArgument(
        "name '{}': expected FILE:BEGIN:END of a shard of at most {} bytes that begins at a "
        "multiple of this",
        Shown(whole), shard_bytes);
  }
  resource.name = std::string(parts[0]);
  resource.range = {.begin = *begin, .end = *end};
  return absl::OkStatus();
}

absl::StatusOr<Resource> ReadResource(const json::value& value, uint64_t shard_bytes,
                                      const std::string& where) {
  ASSIGN_OR_RETURN(const json::object* const object, ObjectOf(value, where));
  Resource resource;
  ASSIGN_OR_RETURN(resource.name, TextField(*object, "name", where));
  RETURN_IF_ERROR(CheckTextField(*object, "algorithm", AlgorithmName(shard_bytes), where));
  ASSIGN_OR_RETURN(const std::string hex, TextField(*object, "digest", where));
  const std::optional<Digest> digest = DigestFromHex(hex);
  if (!digest.has_value()) {
    return InvalidArgument("{}: 'digest' is '{}', expected 64 hexadecimal digits", where,
                           Shown(hex));
  }
  resource.digest = *digest;
  if (shard_bytes != 0) {
    RETURN_IF_ERROR(WithContext(ReadShardName(shard_bytes, resource), where));
  }
  RETURN_IF_ERROR(WithContext(CheckName(resource.name), where));
  return resource;
}

absl::Status CheckNoneTwice(std::span<const Resource> resources) {
  std::vector<std::pair<std::string_view, uint64_t>> starts;
  starts.reserve(resources.size());
  for (const Resource& resource : resources) {
    starts.emplace_back(resource.name, resource.range.begin);
  }
  std::sort(starts.begin(), starts.end());
  const auto twice = std::adjacent_find(starts.begin(), starts.end());
  if (twice != starts.end()) {
    return InvalidArgument("statement: predicate.resources: '{}' from byte {} is there twice",
                           Shown(twice->first), twice->second);
  }
  return absl::OkStatus();
}

absl::Status ReadIgnoredPaths(const json::object& object, const std::string& where,
                              std::vector<std::string>& paths) {
  if (FindField(object, "ignore_paths") == nullptr) {  // It came after v1.0.
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const json::array* const list,
                   ListField(object, "ignore_paths", kMostIgnoredPaths, where));
  for (const json::value& path : *list) {
    if (!path.is_string() || path.get_string().size() > kMostNameBytes) {
      return InvalidArgument("{}: 'ignore_paths' is not a list of texts of at most {} bytes", where,
                             kMostNameBytes);
    }
    paths.emplace_back(path.get_string().data(), path.get_string().size());
  }
  return absl::OkStatus();
}

absl::StatusOr<Serialization> ReadSerialization(const json::object& object) {
  const std::string where = "statement: predicate.serialization";
  Serialization serialization;
  ASSIGN_OR_RETURN(const std::string method, TextField(object, "method", where));
  if (method == kShardsMethod) {
    const json::value* const size = FindField(object, "shard_size");
    if (size == nullptr) {
      return InvalidArgument("{}: 'shard_size' is missing; the method 'shards' needs it", where);
    }
    ASSIGN_OR_RETURN(serialization.shard_bytes,
                     NumberOf(*size, 1, kMostShardBytes, where + ".shard_size"));
  } else if (method != kFilesMethod) {
    return InvalidArgument("{}: 'method' is '{}', expected 'files' or 'shards'", where,
                           Shown(method));
  }
  ASSIGN_OR_RETURN(const std::string hash, TextField(object, "hash_type", where));
  // Releases of upstream differ in which of both they write for shards.
  if (hash != kSha256 && hash != AlgorithmName(serialization.shard_bytes)) {
    return InvalidArgument("{}: 'hash_type' is '{}', expected 'sha256'; sign with SHA-256", where,
                           Shown(hash));
  }
  if (const json::value* const links = FindField(object, "allow_symlinks")) {
    if (!links->is_bool()) {
      return InvalidArgument("{}: 'allow_symlinks' is not true or false", where);
    }
    serialization.allow_symlinks = links->get_bool();
  }
  RETURN_IF_ERROR(ReadIgnoredPaths(object, where, serialization.ignore_paths));
  return serialization;
}

absl::Status ReadAnnotations(const json::object& subject, Statement& statement) {
  if (FindField(subject, "annotations") == nullptr) {
    return absl::OkStatus();
  }
  const std::string where = "statement: subject[0].annotations";
  ASSIGN_OR_RETURN(const json::object* const annotations,
                   ObjectField(subject, "annotations", "statement: subject[0]"));
  if (FindField(*annotations, kModelKey) != nullptr) {
    RETURN_IF_ERROR(CheckTextField(*annotations, kModelKey, statement.model, where));
  }
  if (const json::value* const version = FindField(*annotations, kVersionKey)) {
    ASSIGN_OR_RETURN(const uint64_t number,
                     NumberOf(*version, 1, std::numeric_limits<int64_t>::max(),
                              fmt::format("{}.{}", where, kVersionKey)));
    statement.version = static_cast<int64_t>(number);
  }
  if (const json::value* const epoch = FindField(*annotations, kEpochKey)) {
    ASSIGN_OR_RETURN(statement.security_epoch, NumberOf(*epoch, 0, kMostSecurityEpoch,
                                                        fmt::format("{}.{}", where, kEpochKey)));
  }
  return absl::OkStatus();
}

// Into `statement`, whose resources are there.
absl::Status ReadSubject(const json::object& whole, Statement& statement) {
  ASSIGN_OR_RETURN(const json::array* const subjects, ListField(whole, "subject", 1, "statement"));
  if (subjects->empty()) {
    return InvalidArgument("statement: 'subject' is empty, expected one model");
  }
  const std::string where = "statement: subject[0]";
  ASSIGN_OR_RETURN(const json::object* const subject, ObjectOf(subjects->front(), where));
  ASSIGN_OR_RETURN(statement.model, TextField(*subject, "name", where));
  if (statement.model.empty() || statement.model.size() > kMostNameBytes) {
    return InvalidArgument("{}: 'name' has {} bytes, expected 1 to {}", where,
                           statement.model.size(), kMostNameBytes);
  }
  ASSIGN_OR_RETURN(const json::object* const digests, ObjectField(*subject, "digest", where));
  ASSIGN_OR_RETURN(const std::string hex, TextField(*digests, kSha256, where + ".digest"));
  const Digest root = RootDigest(statement.resources);
  if (DigestFromHex(hex) != root) {
    return InvalidArgument(
        "{}: digest.sha256 is '{}', but the digests of predicate.resources give {}", where,
        Shown(hex), HexOf(root));
  }
  return ReadAnnotations(*subject, statement);
}

}  // namespace

absl::Status CheckName(std::string_view name) {
  if (name.empty() || name.size() > kMostNameBytes) {
    return InvalidArgument("name '{}': {} bytes, expected 1 to {}", Shown(name), name.size(),
                           kMostNameBytes);
  }
  for (const std::string_view part : Split(name, '/')) {
    if (part.empty() || part == "." || part == "..") {
      return InvalidArgument(
          "name '{}': expected a path below the model's folder without empty parts, '.' and '..'",
          Shown(name));
    }
  }
  // What JSON takes as it is, is UTF-8.
  json::error_code error;
  json::parse(json::serialize(json::string(name.data(), name.size())), error);
  const bool has_control = std::any_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) < ' ' || c == '\x7f';
  });
  if (error || has_control) {
    return InvalidArgument("name '{}': expected UTF-8 without control characters; rename the file",
                           Shown(name));
  }
  return absl::OkStatus();
}

Digest RootDigest(std::span<const Resource> resources) {
  Digester digester;
  for (const Resource& resource : resources) {
    digester.Update(std::as_bytes(std::span(resource.digest)));
  }
  return digester.Finish();
}

absl::StatusOr<Statement> ParseStatement(std::string_view text) {
  if (text.size() > kMostStatementBytes) {
    return InvalidArgument("statement: {} bytes, at most {} are read; sign in larger shards",
                           text.size(), kMostStatementBytes);
  }
  ASSIGN_OR_RETURN(const json::object whole, ParseObject(text, "statement"));
  RETURN_IF_ERROR(CheckTextField(whole, "_type", kStatementType, "statement"));
  RETURN_IF_ERROR(CheckTextField(whole, "predicateType", kPredicateType, "statement"));
  ASSIGN_OR_RETURN(const json::object* const predicate,
                   ObjectField(whole, "predicate", "statement"));
  const std::string where = "statement: predicate";
  ASSIGN_OR_RETURN(const json::object* const serialization,
                   ObjectField(*predicate, "serialization", where));
  Statement statement;
  ASSIGN_OR_RETURN(statement.serialization, ReadSerialization(*serialization));
  ASSIGN_OR_RETURN(const json::array* const resources,
                   ListField(*predicate, "resources", kMostResources, where));
  for (size_t i = 0; i < resources->size(); ++i) {
    ASSIGN_OR_RETURN(Resource resource,
                     ReadResource((*resources)[i], statement.serialization.shard_bytes,
                                  fmt::format("{}.resources[{}]", where, i)));
    statement.resources.push_back(std::move(resource));
  }
  RETURN_IF_ERROR(CheckNoneTwice(statement.resources));
  RETURN_IF_ERROR(ReadSubject(whole, statement));
  return statement;
}

}  // namespace omserve::trust
