// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/json_fields.h"
#include "runtime/trust/statement.h"
#include "runtime/trust/statement_names.h"

namespace omserve::trust {
namespace {

namespace json = boost::json;

json::string ToJson(std::string_view text) { return json::string(text.data(), text.size()); }

json::object SubjectJson(const Statement& statement) {
  json::object annotations;
  annotations[ToJson(kModelKey)] = ToJson(statement.model);
  if (statement.version.has_value()) {
    annotations[ToJson(kVersionKey)] = *statement.version;
  }
  if (statement.security_epoch.has_value()) {
    annotations[ToJson(kEpochKey)] = *statement.security_epoch;
  }
  const std::string digest = HexOf(RootDigest(statement.resources));
  return {{"name", ToJson(statement.model)},
          {"digest", json::object{{ToJson(kSha256), ToJson(digest)}}},
          {"annotations", std::move(annotations)}};
}

json::object SerializationJson(const Serialization& serialization) {
  json::object object = {{"hash_type", ToJson(kSha256)},
                         {"allow_symlinks", serialization.allow_symlinks}};
  if (serialization.shard_bytes == 0) {
    object["method"] = ToJson(kFilesMethod);
  } else {
    object["method"] = ToJson(kShardsMethod);
    object["shard_size"] = serialization.shard_bytes;
  }
  json::array paths;
  for (const std::string& path : serialization.ignore_paths) {
    paths.emplace_back(ToJson(path));
  }
  object["ignore_paths"] = std::move(paths);
  return object;
}

json::object ResourceJson(const Resource& resource, uint64_t shard_bytes) {
  const std::string name = shard_bytes == 0 ? resource.name
                                            : fmt::format("{}:{}:{}", resource.name,
                                                          resource.range.begin, resource.range.end);
  return {{"name", ToJson(name)},
          {"algorithm", ToJson(AlgorithmName(shard_bytes))},
          {"digest", ToJson(HexOf(resource.digest))}};
}

}  // namespace

absl::StatusOr<std::string> WriteStatement(const Statement& statement) {
  json::array resources;
  for (const Resource& resource : statement.resources) {
    resources.push_back(ResourceJson(resource, statement.serialization.shard_bytes));
  }
  json::array subjects;
  subjects.push_back(SubjectJson(statement));
  const json::object whole = {
      {"_type", ToJson(kStatementType)},
      {"subject", std::move(subjects)},
      {"predicateType", ToJson(kPredicateType)},
      {"predicate", json::object{{"serialization", SerializationJson(statement.serialization)},
                                 {"resources", std::move(resources)}}}};
  std::string text = json::serialize(whole);
  // Nothing is signed that cannot be read again.
  ASSIGN_OR_RETURN(const Statement again, ParseStatement(text));
  if (again != statement) {
    return InvalidArgument("statement: what it says of model '{}' has no form in JSON",
                           Shown(statement.model));
  }
  return text;
}

}  // namespace omserve::trust
