// SPDX-License-Identifier: Apache-2.0
#include "server/core/registry_state.h"

#include <boost/json.hpp>
#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "server/core/version_policy.h"

namespace omserve::server {
namespace {

namespace json = boost::json;

constexpr int64_t kFormat = 1;
constexpr size_t kMostFileBytes = size_t{64} << 20;

json::object VersionsJson(const std::map<std::string, int64_t>& versions) {
  json::object object;
  for (const auto& [label, version] : versions) {
    object[label] = version;
  }
  return object;
}

absl::StatusOr<const json::object*> ObjectAt(const json::object& in, const char* key) {
  const json::value* found = in.if_contains(key);
  if (found == nullptr || !found->is_object()) {
    return InvalidArgument("'{}': expected an object", key);
  }
  return &found->get_object();
}

absl::StatusOr<std::map<std::string, int64_t>> ParseVersions(const json::object& in,
                                                             const char* key) {
  ASSIGN_OR_RETURN(const json::object* object, ObjectAt(in, key));
  std::map<std::string, int64_t> versions;
  for (const auto& [label, version] : *object) {
    RETURN_IF_ERROR(CheckLabel({label.data(), label.size()}));
    if (!version.is_int64() || version.get_int64() < 1) {
      return InvalidArgument("'{}.{}': expected a version", key,
                             std::string_view(label.data(), label.size()));
    }
    versions[std::string(label)] = version.get_int64();
  }
  return versions;
}

absl::StatusOr<std::vector<TrafficShare>> ParseTraffic(const json::object& in) {
  const json::value* found = in.if_contains("traffic");
  if (found == nullptr || !found->is_array()) {
    return InvalidArgument("'traffic': expected an array");
  }
  std::vector<TrafficShare> shares;
  for (const json::value& item : found->get_array()) {
    const json::object* share = item.if_object();
    const json::value* label = share == nullptr ? nullptr : share->if_contains("label");
    const json::value* percent = share == nullptr ? nullptr : share->if_contains("percent");
    if (label == nullptr || !label->is_string() || percent == nullptr || !percent->is_int64() ||
        percent->get_int64() < 0 || percent->get_int64() > 100) {
      return InvalidArgument("'traffic': expected objects of label and percent");
    }
    shares.push_back({.label = std::string(label->get_string()),
                      .percent = static_cast<int>(percent->get_int64())});
  }
  return shares;
}

absl::StatusOr<std::map<int64_t, std::string>> ParseRolledBack(const json::object& in) {
  ASSIGN_OR_RETURN(const json::object* object, ObjectAt(in, "rolled_back"));
  std::map<int64_t, std::string> versions;
  for (const auto& [version, print] : *object) {
    const absl::StatusOr<std::optional<int64_t>> number =
        ParseVersion({version.data(), version.size()});
    if (!number.ok() || !number->has_value() || !print.is_string()) {
      return InvalidArgument("'rolled_back': expected digests by version");
    }
    versions[**number] = std::string(print.get_string());
  }
  return versions;
}

absl::StatusOr<ModelRecord> ParseRecord(const json::value& value) {
  if (!value.is_object()) {
    return InvalidArgument("expected an object");
  }
  const json::object& object = value.get_object();
  ModelRecord record;
  ASSIGN_OR_RETURN(record.routes.labels, ParseVersions(object, "labels"));
  ASSIGN_OR_RETURN(record.routes.previous, ParseVersions(object, "previous"));
  ASSIGN_OR_RETURN(const std::vector<TrafficShare> traffic, ParseTraffic(object));
  RETURN_IF_ERROR(SetTraffic(traffic, record.routes));
  const json::value* floor = object.if_contains("epoch_floor");
  if (floor == nullptr || !floor->is_int64() || floor->get_int64() < 0) {
    return InvalidArgument("'epoch_floor': expected a number from 0 on");
  }
  record.epoch_floor = static_cast<uint64_t>(floor->get_int64());
  if (object.contains("rolled_back")) {
    ASSIGN_OR_RETURN(record.rolled_back, ParseRolledBack(object));
  }
  return record;
}

}  // namespace

std::string FormatRecords(const ModelRecords& records) {
  json::object models;
  for (const auto& [name, record] : records) {
    json::array traffic;
    for (const TrafficShare& share : record.routes.traffic) {
      traffic.push_back({{"label", share.label}, {"percent", share.percent}});
    }
    models[name] = {{"labels", VersionsJson(record.routes.labels)},
                    {"previous", VersionsJson(record.routes.previous)},
                    {"traffic", std::move(traffic)},
                    {"epoch_floor", static_cast<int64_t>(record.epoch_floor)}};
    if (!record.rolled_back.empty()) {
      json::object rolled_back;
      for (const auto& [version, print] : record.rolled_back) {
        rolled_back[std::to_string(version)] = print;
      }
      models[name].get_object()["rolled_back"] = std::move(rolled_back);
    }
  }
  return json::serialize(json::object{{"format", kFormat}, {"models", std::move(models)}}) + "\n";
}

absl::StatusOr<ModelRecords> ParseRecords(std::string_view text) {
  boost::system::error_code error;
  const json::value parsed = json::parse({text.data(), text.size()}, error);
  if (error || !parsed.is_object()) {
    return InvalidArgument("expected a JSON object{}{}", error ? ": " : "",
                           error ? error.message() : "");
  }
  const json::value* format = parsed.get_object().if_contains("format");
  if (format == nullptr || !format->is_int64() || format->get_int64() != kFormat) {
    return InvalidArgument("'format': expected {}; the file was made by another version", kFormat);
  }
  ASSIGN_OR_RETURN(const json::object* models, ObjectAt(parsed.get_object(), "models"));
  ModelRecords records;
  for (const auto& [name, value] : *models) {
    absl::StatusOr<ModelRecord> record = ParseRecord(value);
    if (!record.ok()) {
      return WithContext(record.status(), fmt::format("model '{}'", std::string(name)));
    }
    records[std::string(name)] = *std::move(record);
  }
  return records;
}

absl::StatusOr<std::unique_ptr<RegistryState>> RegistryState::Open(const std::string& path) {
  ModelRecords records;
  if (!path.empty()) {
    const absl::StatusOr<std::string> text = ReadFile(path, kMostFileBytes);
    if (!text.ok() && text.status().code() != absl::StatusCode::kNotFound) {
      return WithContext(text.status(), "repository.state_file");
    }
    if (text.ok()) {
      absl::StatusOr<ModelRecords> parsed = ParseRecords(*text);
      if (!parsed.ok()) {
        return WithContext(
            parsed.status(),
            fmt::format("repository.state_file '{}' cannot be read; put it right, or remove it to "
                        "begin without labels, shares and floors of security epochs",
                        path));
      }
      records = *std::move(parsed);
    }
  }
  // The constructor is private, which std::make_unique cannot reach.
  return std::unique_ptr<RegistryState>(new RegistryState(path, std::move(records)));
}

ModelRecord RegistryState::Get(const std::string& model) const {
  const MutexLock lock(mu_);
  const auto found = records_.find(model);
  return found == records_.end() ? ModelRecord() : found->second;
}

ModelRecords RegistryState::All() const {
  const MutexLock lock(mu_);
  return records_;
}

absl::Status RegistryState::Change(const std::string& model,
                                   const std::function<absl::Status(ModelRecord& record)>& change,
                                   const std::function<void(const ModelRecord& record)>& then) {
  const MutexLock lock(mu_);
  ModelRecords changed = records_;
  ModelRecord& record = changed[model];
  RETURN_IF_ERROR(change(record));
  const ModelRecord result = record;
  if (result == ModelRecord()) {
    changed.erase(model);
  }
  if (!path_.empty() && changed != records_) {
    const absl::Status written = WriteFileAtomically(path_, FormatRecords(changed));
    if (!written.ok()) {
      return Unavailable("repository.state_file: {}", MessageOf(written));
    }
  }
  records_ = std::move(changed);
  then(result);
  return absl::OkStatus();
}

}  // namespace omserve::server
