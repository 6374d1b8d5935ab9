// SPDX-License-Identifier: Apache-2.0
#include "server/core/tracing/trace_settings.h"

#include <charconv>
#include <limits>
#include <string_view>

#include "runtime/base/errors.h"

namespace omserve::server {
namespace {

constexpr int64_t kLeastCount = -1;
constexpr size_t kMostQuoted = 64;

// `Number` or nothing, from the values of one setting. `least` is the lowest that it may be.
template <typename Number>
absl::StatusOr<std::optional<Number>> ReadOne(const std::string& name,
                                              const std::vector<std::string>& values,
                                              int64_t least) {
  if (values.empty()) {
    return std::optional<Number>();
  }
  if (values.size() > 1) {
    return InvalidArgument("expect only 1 value for '{}'", name);
  }
  const std::string_view text = values.front();
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view got = text.substr(0, kMostQuoted);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) {
    return InvalidArgument("Unable to parse '{}', got: {}", name, got);
  }
  if (error == std::errc::result_out_of_range || number > std::numeric_limits<Number>::max() ||
      (number < least && least == 0)) {
    return InvalidArgument("Unable to parse '{}', value is out of range [ {}, {} ], got: {}", name,
                           least, std::numeric_limits<Number>::max(), got);
  }
  if (number < least) {
    return InvalidArgument("Unable to parse '{}'. Expecting value >= {}, got: {}", name, least,
                           got);
  }
  return std::optional<Number>(static_cast<Number>(number));
}

absl::Status ReadSetting(const std::string& name, const std::vector<std::string>& values,
                         TraceChange& change) {
  if (name == "trace_level") {
    if (values.empty()) {
      change.level.emplace();
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(change.level, ReadTraceLevel(values));
    return absl::OkStatus();
  }
  if (name == "trace_rate") {
    ASSIGN_OR_RETURN(change.rate, ReadOne<uint32_t>(name, values, 0));
    return absl::OkStatus();
  }
  if (name == "trace_count") {
    ASSIGN_OR_RETURN(change.count, ReadOne<int32_t>(name, values, kLeastCount));
    return absl::OkStatus();
  }
  if (name == "log_frequency") {
    ASSIGN_OR_RETURN(change.log_frequency, ReadOne<uint32_t>(name, values, 0));
    return absl::OkStatus();
  }
  if (name == "trace_file") {
    return Unimplemented("trace file location can not be updated through network protocol");
  }
  if (name == "trace_mode") {
    return Unimplemented("trace mode can not be updated through network protocol");
  }
  return InvalidArgument(
      "unknown trace setting '{}', expected trace_level, trace_rate, trace_count or log_frequency",
      name.substr(0, kMostQuoted));
}

}  // namespace

absl::StatusOr<TraceLevel> ReadTraceLevel(const std::vector<std::string>& names) {
  TraceLevel level;
  for (const std::string& name : names) {
    if (name == "OFF") {
      if (names.size() > 1) {
        return InvalidArgument("Expect only one trace level 'OFF' is specified");
      }
    } else if (name == "TIMESTAMPS") {
      level.timestamps = true;
    } else if (name == "TENSORS") {
      level.tensors = true;
    } else {
      return InvalidArgument("unknown trace level '{}', expected OFF, TIMESTAMPS or TENSORS",
                             name.substr(0, kMostQuoted));
    }
  }
  return level;
}

std::vector<std::string> TraceLevelNames(const TraceLevel& level) {
  std::vector<std::string> names;
  if (level.timestamps) {
    names.emplace_back("TIMESTAMPS");
  }
  if (level.tensors) {
    names.emplace_back("TENSORS");
  }
  if (names.empty()) {
    names.emplace_back("OFF");
  }
  return names;
}

absl::StatusOr<TraceChange> ReadTraceChange(const TraceValues& values) {
  TraceChange change;
  for (const auto& [name, of_name] : values) {
    RETURN_IF_ERROR(ReadSetting(name, of_name, change));
  }
  return change;
}

}  // namespace omserve::server
