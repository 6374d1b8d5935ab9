// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/timed_settings.h"

#include <limits>

#include "runtime/hostacl/settings_reader.h"
#include "runtime/om/costs.h"

namespace omserve::hostacl {
namespace {

constexpr int64_t kMostCores = 4096;
constexpr int64_t kMostSeed = std::numeric_limits<int64_t>::max();
constexpr std::string_view kKnownKeys[] = {
    "copy_bytes_per_us", "copy_latency_us", "cost_us", "cores_per_execution",
    "default_cost_us",   "jitter",          "seed"};

std::string Text(boost::json::string_view text) { return {text.data(), text.size()}; }

absl::Status Mismatch(std::string_view origin, const boost::json::value& value,
                      std::string_view expected) {
  return Fail(ACL_ERROR_FILE_ATTR_INVALID, "{} is {}, expected {}", origin,
              boost::json::serialize(value), expected);
}

// The object under `key`; null when there is none.
absl::StatusOr<const boost::json::object*> FindObject(const boost::json::object& object,
                                                      const char* key, std::string_view origin) {
  const boost::json::value* const value = object.if_contains(key);
  if (value == nullptr) {
    return static_cast<const boost::json::object*>(nullptr);
  }
  if (!value->is_object()) {
    return Mismatch(fmt::format("{}: '{}'", origin, key), *value, "an object by model");
  }
  return &value->get_object();
}

absl::StatusOr<int64_t> ReadNumber(const boost::json::value& value, int64_t most,
                                   std::string_view expected, std::string_view origin) {
  if (!value.is_int64() || value.get_int64() < 1 || value.get_int64() > most) {
    return Mismatch(origin, value, fmt::format("{} from 1 to {}", expected, most));
  }
  return value.get_int64();
}

// One number for every gear, or an object of numbers by gear.
absl::Status ReadCosts(const boost::json::value& value, const std::string& origin,
                       std::map<std::string, int64_t>* costs) {
  constexpr std::string_view kExpected = "microseconds";
  if (!value.is_object()) {
    ASSIGN_OR_RETURN((*costs)[""], ReadNumber(value, om::kMostCostUs, kExpected, origin));
    return absl::OkStatus();
  }
  for (const auto& entry : value.get_object()) {
    const std::string gear = Text(entry.key());
    ASSIGN_OR_RETURN((*costs)[gear], ReadNumber(entry.value(), om::kMostCostUs, kExpected,
                                                fmt::format("{}, gear '{}'", origin, gear)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<TimedSettings> ReadTimedSettings(const boost::json::object& object,
                                                std::string_view origin) {
  TimedSettings settings;
  const SettingsReader reader(object, origin);
  RETURN_IF_ERROR(reader.OnlyKnownKeys(kKnownKeys));
  RETURN_IF_ERROR(reader.Number("default_cost_us", 1, om::kMostCostUs, &settings.default_cost_us));
  RETURN_IF_ERROR(reader.Real("jitter", 0, 1, &settings.jitter));
  RETURN_IF_ERROR(reader.Number("seed", 0, kMostSeed, &settings.seed));
  RETURN_IF_ERROR(
      reader.Number("copy_bytes_per_us", 0, int64_t{1} << 40, &settings.copy_bytes_per_us));
  RETURN_IF_ERROR(reader.Number("copy_latency_us", 0, om::kMostCostUs, &settings.copy_latency_us));
  ASSIGN_OR_RETURN(const boost::json::object* const costs, FindObject(object, "cost_us", origin));
  ASSIGN_OR_RETURN(const boost::json::object* const cores,
                   FindObject(object, "cores_per_execution", origin));
  for (const auto& entry : costs == nullptr ? boost::json::object() : *costs) {
    const std::string model = Text(entry.key());
    RETURN_IF_ERROR(ReadCosts(entry.value(),
                              fmt::format("{}: 'cost_us' of model '{}'", origin, model),
                              &settings.cost_us[model]));
  }
  for (const auto& entry : cores == nullptr ? boost::json::object() : *cores) {
    const std::string model = Text(entry.key());
    ASSIGN_OR_RETURN(
        const int64_t count,
        ReadNumber(entry.value(), kMostCores, "cores",
                   fmt::format("{}: 'cores_per_execution' of model '{}'", origin, model)));
    settings.cores_per_execution[model] = static_cast<uint32_t>(count);
  }
  return settings;
}

}  // namespace omserve::hostacl
