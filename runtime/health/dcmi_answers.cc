// SPDX-License-Identifier: Apache-2.0
#include "runtime/health/dcmi_answers.h"

#include <algorithm>
#include <iterator>
#include <string_view>

namespace omserve::health {
namespace {

constexpr double kMegabyte = 1024.0 * 1024.0;
constexpr double kMegahertz = 1e6;
constexpr double kDeciwatt = 0.1;
constexpr double kCentivolt = 0.01;
constexpr unsigned int kWholePercent = 100;

// Sensors answer a marker of 15 bits, or all ones in any width, where they have no value.
bool IsMarker(int64_t value) {
  return value == DCMI_SENSOR_INVALID || value == DCMI_SENSOR_FAILED || value == -1 ||
         value == int64_t{DCMI_ABSENT};
}

template <typename T>
std::optional<double> Scaled(std::optional<T> value, double unit) {
  if (!value.has_value() || IsMarker(int64_t{*value})) {
    return std::nullopt;
  }
  return static_cast<double>(*value) * unit;
}

// A negative power is an answer gone wrong.
std::optional<double> Watts(std::optional<int> deciwatts) {
  return deciwatts.value_or(-1) < 0 ? std::nullopt : Scaled(deciwatts, kDeciwatt);
}

std::optional<double> Ratio(std::optional<unsigned int> percent) {
  if (!percent.has_value() || *percent > kWholePercent) {
    return std::nullopt;
  }
  return static_cast<double>(*percent) / kWholePercent;
}

// No memory of a kind, and more in use than there is, are no answer.
std::optional<MemoryUse> Memory(uint64_t total_mb, uint64_t used_mb) {
  if (total_mb == 0 || used_mb > total_mb) {
    return std::nullopt;
  }
  return MemoryUse{.used_bytes = static_cast<double>(used_mb) * kMegabyte,
                   .total_bytes = static_cast<double>(total_mb) * kMegabyte};
}

std::optional<HealthState> State(std::optional<unsigned int> health) {
  if (!health.has_value() || *health > static_cast<unsigned int>(HealthState::kCritical)) {
    return std::nullopt;
  }
  return static_cast<HealthState>(*health);
}

// Text in a field that it may fill to the last byte.
template <size_t kSize>
std::string_view Text(const unsigned char (&field)[kSize]) {
  const unsigned char* end = std::find(std::begin(field), std::end(field), '\0');
  return {reinterpret_cast<const char*>(field), static_cast<size_t>(end - field)};
}

}  // namespace

void AddDcmiAnswers(const DcmiAnswers& answers, DeviceHealth& health) {
  health.state = State(answers.health);
  if (answers.error_codes.has_value()) {
    health.error_codes.emplace(answers.error_codes->begin(), answers.error_codes->end());
  }
  health.temperature_celsius = Scaled(answers.temperature, 1.0);
  health.power_watts = Watts(answers.power);
  health.card_power_watts = Watts(answers.card_power);
  health.voltage_volts = Scaled(answers.voltage, kCentivolt);

  health.utilization.ai_core = Ratio(answers.ai_core_rate);
  health.utilization.vector_core = Ratio(answers.vector_core_rate);
  health.utilization.npu = Ratio(answers.npu_rate);
  health.utilization.ai_cpu = Ratio(answers.ai_cpu_rate);
  health.utilization.control_cpu = Ratio(answers.control_cpu_rate);
  health.utilization.hbm_bandwidth = Ratio(answers.hbm_bandwidth_rate);
  health.utilization.ddr_bandwidth = Ratio(answers.ddr_bandwidth_rate);

  health.frequency.ai_core_hertz = Scaled(answers.ai_core_frequency, kMegahertz);
  health.frequency.hbm_hertz = Scaled(answers.hbm_frequency, kMegahertz);
  health.frequency.ddr_hertz = Scaled(answers.ddr_frequency, kMegahertz);

  if (answers.hbm.has_value()) {
    health.hbm = Memory(answers.hbm->memory_size, answers.hbm->memory_usage);
    // A chip without HBM answers with zeros, and 0 degrees would be one of them.
    if (answers.hbm->memory_size != 0) {
      health.hbm_temperature_celsius = Scaled<int>(answers.hbm->temp, 1.0);
    }
  }
  if (answers.memory.has_value() &&
      answers.memory->memory_available <= answers.memory->memory_size) {
    health.ddr = Memory(answers.memory->memory_size,
                        answers.memory->memory_size - answers.memory->memory_available);
  }
}

std::string ChipModel(const dcmi_chip_info& info) {
  std::string model(Text(info.chip_name));
  if (model.empty()) {
    return model;
  }
  for (const std::string_view part : {Text(info.chip_type), Text(info.chip_ver)}) {
    if (!part.empty()) {
      model += '-';
      model += part;
    }
  }
  return model;
}

}  // namespace omserve::health
