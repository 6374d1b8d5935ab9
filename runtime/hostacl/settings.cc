// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/settings.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <numeric>
#include <system_error>
#include <thread>

#include "runtime/base/file.h"
#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/fault_plan.h"
#include "runtime/hostacl/fault_settings.h"
#include "runtime/hostacl/settings_reader.h"

namespace omserve::hostacl {
namespace {

constexpr size_t kConfigLimitBytes = size_t{1} << 20;
constexpr std::string_view kKnownKeys[] = {"cores",         "device_count", "engine",
                                           "faults",        "faults_file",  "intra_op_threads",
                                           "max_events",    "max_streams",  "memory_bytes",
                                           "ort_library",   "run_mode",     "strict",
                                           "strict_report", "timed"};

absl::StatusOr<StrictLevel> ParseStrict(std::string_view text, std::string_view origin,
                                        std::string_view what) {
  if (text == "off") {
    return StrictLevel::kOff;
  }
  if (text == "report") {
    return StrictLevel::kReport;
  }
  if (text == "abort") {
    return StrictLevel::kAbort;
  }
  return Fail(ACL_ERROR_FILE_ATTR_INVALID, "{}: {} is '{}', expected 'off', 'report' or 'abort'",
              origin, what, text);
}

absl::StatusOr<StrictLevel> StrictFromEnvironment() {
  const char* given = std::getenv("HOSTACL_STRICT");  // NOLINT(concurrency-mt-unsafe)
  return given == nullptr || *given == '\0' ? StrictLevel::kOff
                                            : ParseStrict(given, "environment", "HOSTACL_STRICT");
}

absl::Status ReadTimed(const boost::json::object& object, std::string_view origin,
                       Settings* settings) {
  const boost::json::value* const timed = object.if_contains("timed");
  if (timed == nullptr) {
    return absl::OkStatus();
  }
  if (!timed->is_object()) {
    return Fail(ACL_ERROR_FILE_ATTR_INVALID, "{}: 'timed' is {}, expected an object", origin,
                boost::json::serialize(*timed));
  }
  if (settings->engine != kTimedEngine) {
    return Fail(ACL_ERROR_FILE_ATTR_INVALID,
                "{}: 'timed' is there, but 'engine' is '{}'; expected '{}', or no 'timed'", origin,
                settings->engine, kTimedEngine);
  }
  ASSIGN_OR_RETURN(settings->timed,
                   ReadTimedSettings(timed->get_object(), fmt::format("{}: timed", origin)));
  return absl::OkStatus();
}

// Reads "faults" and "faults_file".
absl::Status ReadFaults(const boost::json::object& object, std::string_view origin,
                        const SettingsReader& reader, Settings* settings) {
  RETURN_IF_ERROR(reader.String("faults_file", &settings->faults_file));
  const boost::json::value* faults = object.if_contains("faults");
  if (faults == nullptr) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(settings->faults, ReadFaultRules(*faults, origin, &HasFunction));
  const auto holds =
      std::ranges::find(settings->faults, FaultRule::Effect::kHold, &FaultRule::effect);
  if (holds != settings->faults.end() && settings->faults_file.empty()) {
    return Fail(ACL_ERROR_FILE_ATTR_INVALID,
                "{}: faults[{}]: 'hold' is there, but no 'faults_file'; expected one, whose change "
                "lets the task begin",
                origin, holds - settings->faults.begin());
  }
  return absl::OkStatus();
}

absl::StatusOr<Settings> ReadObject(const boost::json::object& object, std::string_view origin) {
  Settings settings;
  const SettingsReader reader(object, origin);
  RETURN_IF_ERROR(reader.OnlyKnownKeys(kKnownKeys));
  RETURN_IF_ERROR(reader.Number("device_count", 1, 64, &settings.device_count));
  RETURN_IF_ERROR(
      reader.Number("memory_bytes", int64_t{1} << 20, int64_t{1} << 46, &settings.memory_bytes));
  RETURN_IF_ERROR(reader.Number("cores", 1, 4096, &settings.cores));
  RETURN_IF_ERROR(reader.Number("max_streams", 1, 65536, &settings.max_streams));
  RETURN_IF_ERROR(reader.Number("max_events", 1, 1 << 24, &settings.max_events));
  RETURN_IF_ERROR(reader.Number("intra_op_threads", 1, 256, &settings.intra_op_threads));
  RETURN_IF_ERROR(reader.String("ort_library", &settings.ort_library));
  RETURN_IF_ERROR(reader.String("engine", &settings.engine));
  if (settings.engine != kOrtEngine && settings.engine != kTimedEngine) {
    return Fail(ACL_ERROR_FILE_ATTR_INVALID, "{}: 'engine' is '{}', expected '{}' or '{}'", origin,
                settings.engine, kOrtEngine, kTimedEngine);
  }
  RETURN_IF_ERROR(ReadFaults(object, origin, reader, &settings));
  RETURN_IF_ERROR(ReadTimed(object, origin, &settings));
  std::string run_mode = "host";
  RETURN_IF_ERROR(reader.String("run_mode", &run_mode));
  if (run_mode != "host" && run_mode != "device") {
    return Fail(ACL_ERROR_FILE_ATTR_INVALID, "{}: 'run_mode' is '{}', expected 'host' or 'device'",
                origin, run_mode);
  }
  RETURN_IF_ERROR(reader.String("strict_report", &settings.strict_report));
  std::string strict;
  RETURN_IF_ERROR(reader.String("strict", &strict));
  ASSIGN_OR_RETURN(settings.strict, strict.empty() ? StrictFromEnvironment()
                                                   : ParseStrict(strict, origin, "'strict'"));
  settings.run_mode = run_mode == "host" ? ACL_HOST : ACL_DEVICE;
  return settings;
}

// The devices that a list such as "2,0" leaves, in its order; what follows a number that is no
// device, or stands there before, is not seen.
std::vector<int32_t> VisibleDevices(std::string_view list, int32_t device_count) {
  std::vector<int32_t> visible;
  while (true) {
    const size_t length = std::min(list.find(','), list.size());
    int32_t device = -1;
    const auto [stop, error] = std::from_chars(list.data(), list.data() + length, device);
    if (error != std::errc() || stop != list.data() + length || device < 0 ||
        device >= device_count ||
        std::find(visible.begin(), visible.end(), device) != visible.end()) {
      return visible;
    }
    visible.push_back(device);
    if (length == list.size()) {
      return visible;
    }
    list.remove_prefix(length + 1);
  }
}

Settings WithDefaults(Settings settings) {
  if (settings.cores == 0) {
    settings.cores = std::max(1U, std::thread::hardware_concurrency());
  }
  // AscendCL's own variable, which containers set.
  const char* given = std::getenv("ASCEND_RT_VISIBLE_DEVICES");  // NOLINT(concurrency-mt-unsafe)
  if (given != nullptr && *given != '\0') {
    settings.visible_devices = VisibleDevices(given, settings.device_count);
  } else {
    settings.visible_devices.resize(static_cast<size_t>(settings.device_count));
    std::iota(settings.visible_devices.begin(), settings.visible_devices.end(), 0);
  }
  settings.device_count = static_cast<int32_t>(settings.visible_devices.size());
  return settings;
}

// What AscendCL itself has in its file and this device obeys.
absl::StatusOr<bool> ReadErrorMode(const boost::json::object& object, std::string_view origin) {
  std::string mode = "0";
  RETURN_IF_ERROR(SettingsReader(object, origin).String("err_msg_mode", &mode));
  if (mode != "0" && mode != "1") {
    return Fail(ACL_ERROR_FILE_ATTR_INVALID,
                "{}: 'err_msg_mode' is '{}', expected '0' (of a thread) or '1' (of the process)",
                origin, mode);
  }
  return mode == "1";
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
    return ParseSettings("{}", "defaults");
  }
  if (*given == '{') {
    return ParseSettings(given, "environment variable HOSTACL_CONFIG");
  }
  ASSIGN_OR_RETURN(const std::string text, ReadConfigFile(given));
  return ParseSettings(text, fmt::format("'{}' (from HOSTACL_CONFIG)", given));
}

}  // namespace

absl::StatusOr<Settings> ParseSettings(std::string_view text, std::string_view origin) {
  ASSIGN_OR_RETURN(const boost::json::object object, ParseSettingsObject(text, origin));
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
  bool share_error_texts = false;
  if (config_path != nullptr && *config_path != '\0') {
    ASSIGN_OR_RETURN(*config_text, ReadConfigFile(config_path));
    const std::string origin = fmt::format("'{}'", config_path);
    ASSIGN_OR_RETURN(const boost::json::object object, ParseSettingsObject(*config_text, origin));
    ASSIGN_OR_RETURN(share_error_texts, ReadErrorMode(object, origin));
    if (object.contains("hostacl")) {
      ASSIGN_OR_RETURN(Settings settings, ParseSettings(*config_text, origin));
      settings.share_error_texts = share_error_texts;
      return WithDefaults(std::move(settings));
    }
  }
  ASSIGN_OR_RETURN(Settings settings, SettingsFromEnvironment());
  settings.share_error_texts = share_error_texts;
  return WithDefaults(std::move(settings));
}

}  // namespace omserve::hostacl
