// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/settings.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <optional>
#include <system_error>
#include <thread>

#include "runtime/base/file.h"
#include "runtime/hostacl/acl_status.h"

namespace omserve::hostacl {
namespace {

constexpr size_t kConfigLimitBytes = size_t{1} << 20;
constexpr char kKnownKeys[] =
    "cores, device_count, engine, intra_op_threads, max_events, max_streams, memory_bytes, "
    "ort_library, run_mode";

std::string Text(boost::json::string_view text) { return {text.data(), text.size()}; }

absl::StatusOr<boost::json::object> ParseObject(std::string_view text, std::string_view origin) {
  boost::json::error_code error;
  boost::json::value value =
      boost::json::parse(boost::json::string_view(text.data(), text.size()), error);
  if (error) {
    return Fail(ACL_ERROR_PARSE_FILE, "{}: not JSON: {}", origin, error.message());
  }
  if (!value.is_object()) {
    return Fail(ACL_ERROR_PARSE_FILE, "{}: expected a JSON object, met {}", origin,
                Text(boost::json::to_string(value.kind())));
  }
  return std::move(value.get_object());
}

// One settings object, read key by key.
class Reader final {
 public:
  Reader(const boost::json::object& object, std::string_view origin)
      : object_(object), origin_(origin) {}

  template <typename Integer>
  absl::Status Number(const char* key, int64_t least, int64_t most, Integer* out) const {
    const boost::json::value* value = object_.if_contains(key);
    if (value == nullptr) {
      return absl::OkStatus();
    }
    const std::optional<int64_t> number = AsInteger(*value);
    if (!number.has_value() || *number < least || *number > most) {
      return Fail(ACL_ERROR_FILE_ATTR_INVALID, "{}: '{}' is {}, expected an integer from {} to {}",
                  origin_, key, boost::json::serialize(*value), least, most);
    }
    *out = static_cast<Integer>(*number);
    return absl::OkStatus();
  }

  absl::Status String(const char* key, std::string* out) const {
    const boost::json::value* value = object_.if_contains(key);
    if (value == nullptr) {
      return absl::OkStatus();
    }
    if (!value->is_string()) {
      return Fail(ACL_ERROR_FILE_ATTR_INVALID, "{}: '{}' is {}, expected a string", origin_, key,
                  boost::json::serialize(*value));
    }
    *out = std::string(value->get_string().data(), value->get_string().size());
    return absl::OkStatus();
  }

  absl::Status OnlyKnownKeys() const {
    static constexpr std::string_view kKnown[] = {
        "cores",       "device_count", "engine",      "intra_op_threads", "max_events",
        "max_streams", "memory_bytes", "ort_library", "run_mode"};
    for (const auto& entry : object_) {
      const std::string key = Text(entry.key());
      if (std::find(std::begin(kKnown), std::end(kKnown), key) == std::end(kKnown)) {
        return Fail(ACL_ERROR_FILE_ATTR_INVALID, "{}: unknown key '{}'; known are {}", origin_, key,
                    kKnownKeys);
      }
    }
    return absl::OkStatus();
  }

 private:
  static std::optional<int64_t> AsInteger(const boost::json::value& value) {
    if (value.is_int64()) {
      return value.get_int64();
    }
    return std::nullopt;  // Larger unsigned numbers are beyond every range here.
  }

  const boost::json::object& object_;
  std::string_view origin_;
};

absl::StatusOr<Settings> ReadObject(const boost::json::object& object, std::string_view origin) {
  Settings settings;
  const Reader reader(object, origin);
  RETURN_IF_ERROR(reader.OnlyKnownKeys());
  RETURN_IF_ERROR(reader.Number("device_count", 1, 64, &settings.device_count));
  RETURN_IF_ERROR(
      reader.Number("memory_bytes", int64_t{1} << 20, int64_t{1} << 46, &settings.memory_bytes));
  RETURN_IF_ERROR(reader.Number("cores", 1, 4096, &settings.cores));
  RETURN_IF_ERROR(reader.Number("max_streams", 1, 65536, &settings.max_streams));
  RETURN_IF_ERROR(reader.Number("max_events", 1, 1 << 24, &settings.max_events));
  RETURN_IF_ERROR(reader.Number("intra_op_threads", 1, 256, &settings.intra_op_threads));
  RETURN_IF_ERROR(reader.String("ort_library", &settings.ort_library));
  RETURN_IF_ERROR(reader.String("engine", &settings.engine));
  if (settings.engine != "onnxruntime") {
    return Fail(ACL_ERROR_FILE_ATTR_INVALID, "{}: 'engine' is '{}', expected 'onnxruntime'", origin,
                settings.engine);
  }
  std::string run_mode = "host";
  RETURN_IF_ERROR(reader.String("run_mode", &run_mode));
  if (run_mode != "host" && run_mode != "device") {
    return Fail(ACL_ERROR_FILE_ATTR_INVALID, "{}: 'run_mode' is '{}', expected 'host' or 'device'",
                origin, run_mode);
  }
  settings.run_mode = run_mode == "host" ? ACL_HOST : ACL_DEVICE;
  return settings;
}

Settings WithDefaults(Settings settings) {
  if (settings.cores == 0) {
    settings.cores = std::max(1U, std::thread::hardware_concurrency());
  }
  return settings;
}

absl::StatusOr<std::string> ReadConfigFile(const std::string& path) {
  absl::StatusOr<std::string> text = ReadFile(path, kConfigLimitBytes);
  if (!text.ok()) {
    return WithAclCode(WithContext(text.status(), "configuration file"), ACL_ERROR_INVALID_FILE);
  }
  return text;
}

absl::StatusOr<Settings> SettingsFromEnvironment() {
  // The one place where a library that any AscendCL program may load can be told something.
  const char* given = std::getenv("HOSTACL_CONFIG");  // NOLINT(concurrency-mt-unsafe)
  if (given == nullptr || *given == '\0') {
    return Settings{};
  }
  if (*given == '{') {
    return ParseSettings(given, "environment variable HOSTACL_CONFIG");
  }
  ASSIGN_OR_RETURN(const std::string text, ReadConfigFile(given));
  return ParseSettings(text, fmt::format("'{}' (from HOSTACL_CONFIG)", given));
}

}  // namespace

absl::StatusOr<Settings> ParseSettings(std::string_view text, std::string_view origin) {
  ASSIGN_OR_RETURN(const boost::json::object object, ParseObject(text, origin));
  const boost::json::value* inner = object.if_contains("hostacl");
  if (inner == nullptr) {
    return ReadObject(object, origin);
  }
  if (!inner->is_object()) {
    return Fail(ACL_ERROR_FILE_ATTR_INVALID, "{}: 'hostacl' is {}, expected an object", origin,
                boost::json::serialize(*inner));
  }
  return ReadObject(inner->get_object(), fmt::format("{}: hostacl", origin));
}

absl::StatusOr<Settings> LoadSettings(const char* config_path, std::string* config_text) {
  config_text->clear();
  if (config_path != nullptr && *config_path != '\0') {
    ASSIGN_OR_RETURN(*config_text, ReadConfigFile(config_path));
    const std::string origin = fmt::format("'{}'", config_path);
    ASSIGN_OR_RETURN(const boost::json::object object, ParseObject(*config_text, origin));
    if (object.contains("hostacl")) {
      ASSIGN_OR_RETURN(Settings settings, ParseSettings(*config_text, origin));
      return WithDefaults(std::move(settings));
    }
  }
  ASSIGN_OR_RETURN(Settings settings, SettingsFromEnvironment());
  return WithDefaults(std::move(settings));
}

}  // namespace omserve::hostacl
