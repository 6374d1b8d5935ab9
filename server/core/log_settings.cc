// SPDX-License-Identifier: Apache-2.0
#include "server/core/log_settings.h"

#include <limits>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"

namespace omserve::server {
namespace {

constexpr char kDefaultFormat[] = "default";
constexpr char kIso8601Format[] = "ISO8601";

std::string TextOf(const LogValue& value) {
  if (const bool* flag = std::get_if<bool>(&value)) {
    return *flag ? "true" : "false";
  }
  if (const uint64_t* number = std::get_if<uint64_t>(&value)) {
    return std::to_string(*number);
  }
  const std::string* text = std::get_if<std::string>(&value);
  return text == nullptr ? "" : *text;
}

template <typename Value>
absl::StatusOr<Value> Typed(const std::string& name, const LogValue& value, const char* expected) {
  const Value* typed = std::get_if<Value>(&value);
  if (typed == nullptr) {
    return InvalidArgument("invalid value type for '{}' log setting, expected {}", name, expected);
  }
  return *typed;
}

absl::StatusOr<LogFormat> ReadFormat(const std::string& name, const LogValue& value,
                                     const LogSettings& now) {
  ASSIGN_OR_RETURN(const std::string text, Typed<std::string>(name, value, "a string"));
  if (text != kDefaultFormat && text != kIso8601Format) {
    return InvalidArgument("invalid value for '{}' log setting, expected {} or {}, got '{}'", name,
                           kDefaultFormat, kIso8601Format, text.substr(0, 64));
  }
  const LogFormat format = text == kDefaultFormat ? LogFormat::kDefault : LogFormat::kIso8601;
  if (now.json && format != now.format) {
    return InvalidArgument("'{}' cannot be {}: lines of the log are JSON objects, by log.json",
                           name, text);
  }
  return format;
}

absl::Status ReadSetting(const std::string& name, const LogValue& value, const LogSettings& now,
                         LogChange& change) {
  std::optional<bool>* const flag = name == "log_info"      ? &change.info
                                    : name == "log_warning" ? &change.warning
                                    : name == "log_error"   ? &change.error
                                                            : nullptr;
  if (flag != nullptr) {
    ASSIGN_OR_RETURN(*flag, Typed<bool>(name, value, "true or false"));
    return absl::OkStatus();
  }
  if (name == "log_verbose_level") {
    constexpr char kExpected[] = "a whole number from 0 to 4294967295";
    ASSIGN_OR_RETURN(const uint64_t level, Typed<uint64_t>(name, value, kExpected));
    if (level > std::numeric_limits<uint32_t>::max()) {
      return InvalidArgument("invalid value for '{}' log setting, expected {}, got {}", name,
                             kExpected, level);
    }
    change.verbose_level = static_cast<uint32_t>(level);
    return absl::OkStatus();
  }
  if (name == "log_format") {
    ASSIGN_OR_RETURN(change.format, ReadFormat(name, value, now));
    return absl::OkStatus();
  }
  if (name == "log_file") {
    return Unimplemented("log file location can not be updated through network protocol");
  }
  return InvalidArgument(
      "unknown log setting '{}', expected log_info, log_warning, log_error, log_verbose_level or "
      "log_format",
      name.substr(0, 64));
}

}  // namespace

LogValues LogValuesOf(const LogSettings& settings) {
  return {{"log_file", settings.file},
          {"log_info", settings.info},
          {"log_warning", settings.warning},
          {"log_error", settings.error},
          {"log_verbose_level", uint64_t{settings.verbose_level}},
          {"log_format",
           std::string(settings.format == LogFormat::kIso8601 ? kIso8601Format : kDefaultFormat)}};
}

absl::StatusOr<LogChange> ReadLogChange(const LogValues& values, const LogSettings& now) {
  LogChange change;
  for (const auto& [name, value] : values) {
    RETURN_IF_ERROR(ReadSetting(name, value, now, change));
  }
  return change;
}

absl::Status ChangeLog(const LogValues& values, std::string_view who) {
  if (values.empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const LogChange change, ReadLogChange(values, CurrentLogSettings()));
  ChangeLogSettings(change);
  std::string changed;
  for (const auto& [name, value] : values) {
    changed += fmt::format(" {}={}", name, TextOf(value));
  }
  // Past the switches: nobody turns the log off unseen.
  WriteLog(LogLevel::kWarning, "server", fmt::format("log settings changed by={}{}", who, changed));
  return absl::OkStatus();
}

}  // namespace omserve::server
