// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/dump_config.h"

#include <boost/json.hpp>
#include <filesystem>
#include <system_error>

#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/settings_reader.h"

namespace omserve::hostacl {
namespace {

constexpr std::string_view kKnownKeys[] = {"dump_data", "dump_level",     "dump_list",
                                           "dump_mode", "dump_op_switch", "dump_path"};
constexpr std::string_view kKnownModelKeys[] = {"layer", "model_name"};

absl::Status ReadModel(const boost::json::value& entry, std::string_view origin,
                       DumpConfig* config) {
  if (!entry.is_object()) {
    return Fail(ACL_ERROR_INVALID_DUMP_CONFIG, "{}: dump_list holds {}, expected objects", origin,
                boost::json::serialize(entry));
  }
  const SettingsReader reader(entry.get_object(), origin);
  RETURN_IF_ERROR(reader.OnlyKnownKeys(kKnownModelKeys));
  if (entry.get_object().empty()) {
    config->all_models = true;
    return absl::OkStatus();
  }
  if (entry.get_object().contains("layer")) {
    return Fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "{}: dump_list names layers; this device dumps the tensors of whole models",
                origin);
  }
  std::string name;
  RETURN_IF_ERROR(reader.String("model_name", &name));
  config->models.insert(name);
  return absl::OkStatus();
}

absl::Status ReadList(const boost::json::object& dump, std::string_view origin,
                      DumpConfig* config) {
  const boost::json::value* list = dump.if_contains("dump_list");
  if (list == nullptr || !list->is_array() || list->get_array().empty()) {
    return Fail(
        ACL_ERROR_INVALID_DUMP_CONFIG,
        "{}: dump_list is missing or empty; expected objects with a model_name, or {{}} for "
        "all models",
        origin);
  }
  for (const boost::json::value& entry : list->get_array()) {
    RETURN_IF_ERROR(ReadModel(entry, origin, config));
  }
  return absl::OkStatus();
}

absl::Status ReadMode(const SettingsReader& reader, std::string_view origin, DumpConfig* config) {
  std::string mode = "output";
  RETURN_IF_ERROR(reader.String("dump_mode", &mode));
  if (mode != "input" && mode != "output" && mode != "all") {
    return Fail(ACL_ERROR_INVALID_DUMP_CONFIG,
                "{}: dump_mode is '{}', expected 'input', 'output' or 'all'", origin, mode);
  }
  config->inputs = mode != "output";
  config->outputs = mode != "input";
  std::string data = "tensor";
  RETURN_IF_ERROR(reader.String("dump_data", &data));
  if (data != "tensor") {
    return Fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "{}: dump_data is '{}'; this device dumps tensors, not their statistics", origin,
                data);
  }
  return absl::OkStatus();
}

absl::StatusOr<DumpConfig> ReadDump(const boost::json::object& dump, std::string_view origin) {
  DumpConfig config;
  const SettingsReader reader(dump, origin);
  RETURN_IF_ERROR(reader.OnlyKnownKeys(kKnownKeys));
  RETURN_IF_ERROR(ReadList(dump, origin, &config));
  RETURN_IF_ERROR(ReadMode(reader, origin, &config));
  RETURN_IF_ERROR(reader.String("dump_path", &config.folder));
  std::error_code error;
  if (!std::filesystem::is_directory(config.folder, error)) {
    return Fail(ACL_ERROR_INVALID_DUMP_CONFIG, "{}: dump_path '{}' is no folder", origin,
                config.folder);
  }
  return config;
}

}  // namespace

absl::StatusOr<DumpConfig> ParseDumpConfig(std::string_view text, std::string_view origin) {
  ASSIGN_OR_RETURN(const boost::json::object object, ParseSettingsObject(text, origin));
  const boost::json::value* dump = object.if_contains("dump");
  if (dump == nullptr || !dump->is_object()) {
    return Fail(ACL_ERROR_INVALID_DUMP_CONFIG, "{}: it has no object 'dump'", origin);
  }
  absl::StatusOr<DumpConfig> config = ReadDump(dump->get_object(), fmt::format("{}: dump", origin));
  // A key with a wrong value is the settings reader's to find, whose code is another.
  if (!config.ok() && AclCodeOf(config.status()) == ACL_ERROR_FILE_ATTR_INVALID) {
    return WithAclCode(config.status(), ACL_ERROR_INVALID_DUMP_CONFIG);
  }
  return config;
}

bool HasDumpConfig(std::string_view text) {
  const absl::StatusOr<boost::json::object> object = ParseSettingsObject(text, "");
  const boost::json::value* dump = object.ok() ? object->if_contains("dump") : nullptr;
  return dump != nullptr && *dump != boost::json::object();
}

}  // namespace omserve::hostacl
