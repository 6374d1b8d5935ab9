// SPDX-License-Identifier: Apache-2.0
#include "server/core/device_metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <utility>

#include "server/core/metric_family.h"

namespace omserve::server {
namespace {

using health::DeviceHealth;
using health::Frequencies;
using health::HealthReport;
using health::HealthState;
using health::MemoryUse;
using health::Utilization;
using prometheus::MetricFamily;
using prometheus::MetricType;
using Families = std::vector<MetricFamily>;

constexpr double kPercent = 100.0;
constexpr double kMegabyte = 1024.0 * 1024.0;
constexpr double kMegahertz = 1e6;

void Push(Family family, Families& families) {
  if (!family.empty()) {
    families.push_back(family.Take());
  }
}

std::optional<double> Times(std::optional<double> value, double factor) {
  return value.has_value() ? std::optional(*value * factor) : std::nullopt;
}

Labels DeviceLabels(const DeviceHealth& device) {
  return {{"device", std::to_string(device.device)}};
}

Labels With(Labels labels, std::string name, std::string value) {
  labels.push_back({std::move(name), std::move(value)});
  return labels;
}

// One sample for each device that has the value.
template <typename Value>
void AddPerDevice(const HealthReport& report, std::string name, std::string help, Value value,
                  Families& families) {
  Family family(MetricType::Gauge, std::move(name), std::move(help));
  for (const DeviceHealth& device : report.devices) {
    if (const std::optional<double> sample = value(device)) {
      family.Add(DeviceLabels(device), *sample);
    }
  }
  Push(std::move(family), families);
}

void AddSensors(const HealthReport& report, Families& families) {
  struct Sensor {
    const char* name;
    const char* help;
    std::optional<double> DeviceHealth::*value;
  };
  static constexpr Sensor kSensors[] = {
      {"omserve_device_temperature_celsius", "Temperature of the device",
       &DeviceHealth::temperature_celsius},
      {"omserve_device_hbm_temperature_celsius", "Temperature of the device's HBM",
       &DeviceHealth::hbm_temperature_celsius},
      {"omserve_device_power_watts", "Power that the device draws", &DeviceHealth::power_watts},
      {"omserve_device_card_power_watts",
       "Power that the device's card draws, with every chip on it",
       &DeviceHealth::card_power_watts},
      {"omserve_device_voltage_volts", "Voltage of the device", &DeviceHealth::voltage_volts},
  };
  for (const Sensor& sensor : kSensors) {
    AddPerDevice(
        report, sensor.name, sensor.help,
        [&sensor](const DeviceHealth& device) { return device.*sensor.value; }, families);
  }
}

void AddUtilization(const HealthReport& report, Families& families) {
  struct Unit {
    const char* name;
    std::optional<double> Utilization::*value;
  };
  static constexpr Unit kUnits[] = {
      {"ai_core", &Utilization::ai_core},
      {"vector_core", &Utilization::vector_core},
      {"npu", &Utilization::npu},
      {"ai_cpu", &Utilization::ai_cpu},
      {"control_cpu", &Utilization::control_cpu},
      {"hbm_bandwidth", &Utilization::hbm_bandwidth},
      {"ddr_bandwidth", &Utilization::ddr_bandwidth},
      {"cube", &Utilization::cube},
      {"process_cpu", &Utilization::process_cpu},
  };
  Family family(MetricType::Gauge, "omserve_device_utilization_ratio",
                "How much a part of the device is used, 0 to 1");
  for (const DeviceHealth& device : report.devices) {
    for (const Unit& unit : kUnits) {
      if (const std::optional<double> sample = device.utilization.*unit.value) {
        family.Add(With(DeviceLabels(device), "unit", unit.name), *sample);
      }
    }
  }
  Push(std::move(family), families);
}

void AddFrequencies(const HealthReport& report, Families& families) {
  struct Unit {
    const char* name;
    std::optional<double> Frequencies::*value;
  };
  static constexpr Unit kUnits[] = {{"ai_core", &Frequencies::ai_core_hertz},
                                    {"hbm", &Frequencies::hbm_hertz},
                                    {"ddr", &Frequencies::ddr_hertz},
                                    {"cpu", &Frequencies::cpu_hertz}};
  Family family(MetricType::Gauge, "omserve_device_frequency_hertz",
                "Clock of a part of the device");
  for (const DeviceHealth& device : report.devices) {
    for (const Unit& unit : kUnits) {
      if (const std::optional<double> sample = device.frequency.*unit.value) {
        family.Add(With(DeviceLabels(device), "unit", unit.name), *sample);
      }
    }
  }
  Push(std::move(family), families);
}

void AddMemory(const HealthReport& report, Families& families) {
  struct Kind {
    const char* name;
    std::optional<MemoryUse> DeviceHealth::*value;
  };
  static constexpr Kind kKinds[] = {
      {"hbm", &DeviceHealth::hbm}, {"ddr", &DeviceHealth::ddr}, {"acl", &DeviceHealth::acl_memory}};
  Family used(MetricType::Gauge, "omserve_device_memory_used_bytes",
              "Memory of the device in use, by whomever");
  Family total(MetricType::Gauge, "omserve_device_memory_total_bytes", "Memory of the device");
  for (const DeviceHealth& device : report.devices) {
    for (const Kind& kind : kKinds) {
      if (const std::optional<MemoryUse>& memory = device.*kind.value) {
        used.Add(With(DeviceLabels(device), "kind", kind.name), memory->used_bytes);
        total.Add(With(DeviceLabels(device), "kind", kind.name), memory->total_bytes);
      }
    }
  }
  Push(std::move(used), families);
  Push(std::move(total), families);
}

void AddCondition(const HealthReport& report, Clock::time_point now, Families& families) {
  AddPerDevice(
      report, "omserve_device_health",
      "The driver's judgement: 0 well, 1 minor fault, 2 major, 3 critical",
      [](const DeviceHealth& device) -> std::optional<double> {
        return device.state.has_value() ? std::optional(static_cast<double>(*device.state))
                                        : std::nullopt;
      },
      families);
  AddPerDevice(
      report, "omserve_device_normal", "1 while AscendCL holds the device for sound",
      [](const DeviceHealth& device) -> std::optional<double> {
        return device.is_normal.has_value() ? std::optional(*device.is_normal ? 1.0 : 0.0)
                                            : std::nullopt;
      },
      families);
  Family errors(MetricType::Gauge, "omserve_device_faults",
                "1 for each fault of the device that stands, by the driver's code");
  for (const DeviceHealth& device : report.devices) {
    for (const uint32_t code : device.error_codes.value_or(std::vector<uint32_t>())) {
      errors.Add(With(DeviceLabels(device), "code", fmt::format("0x{:08X}", code)), 1);
    }
  }
  Push(std::move(errors), families);
  AddPerDevice(
      report, "omserve_device_health_age_seconds",
      "Age of the device's values; grows while a driver does not answer",
      [now](const DeviceHealth& device) {
        return std::optional(std::chrono::duration<double>(now - device.read_at).count());
      },
      families);
}

// What Triton's names for a GPU mean, so that its dashboards show a chip.
void AddAsGpus(const HealthReport& report, Families& families) {
  struct GpuMetric {
    const char* name;
    const char* help;
    std::optional<double> (*value)(const DeviceHealth& device);
  };
  static constexpr GpuMetric kGpuMetrics[] = {
      {"nv_gpu_utilization", "GPU utilization rate [0.0 - 1.0]",
       [](const DeviceHealth& d) {
         return d.utilization.ai_core.has_value() ? d.utilization.ai_core : d.utilization.cube;
       }},
      {"nv_gpu_memory_total_bytes", "GPU total memory, in bytes",
       [](const DeviceHealth& d) {
         const std::optional<MemoryUse>& memory = d.hbm.has_value() ? d.hbm : d.acl_memory;
         return memory.has_value() ? std::optional(memory->total_bytes) : std::nullopt;
       }},
      {"nv_gpu_memory_used_bytes", "GPU used memory, in bytes",
       [](const DeviceHealth& d) {
         const std::optional<MemoryUse>& memory = d.hbm.has_value() ? d.hbm : d.acl_memory;
         return memory.has_value() ? std::optional(memory->used_bytes) : std::nullopt;
       }},
      {"nv_gpu_power_usage", "GPU power usage in watts",
       [](const DeviceHealth& d) {
         return d.power_watts.has_value() ? d.power_watts : d.card_power_watts;
       }},
  };
  for (const GpuMetric& metric : kGpuMetrics) {
    Family family(MetricType::Gauge, metric.name, metric.help);
    for (const DeviceHealth& device : report.devices) {
      if (const std::optional<double> sample = metric.value(device)) {
        family.Add({{"gpu_uuid", fmt::format("NPU-{}", device.device)}}, *sample);
      }
    }
    Push(std::move(family), families);
  }
}

// What npu-exporter's names mean, for a device that is a chip.

std::optional<double> UsedMegabytes(const std::optional<MemoryUse>& memory) {
  return memory.has_value() ? std::optional(memory->used_bytes / kMegabyte) : std::nullopt;
}
std::optional<double> TotalMegabytes(const std::optional<MemoryUse>& memory) {
  return memory.has_value() ? std::optional(memory->total_bytes / kMegabyte) : std::nullopt;
}
std::optional<double> UsedPercent(const std::optional<MemoryUse>& memory) {
  return memory.has_value() ? std::optional(memory->used_bytes / memory->total_bytes * kPercent)
                            : std::nullopt;
}
std::optional<double> ChipOrCardPower(const DeviceHealth& device) {
  return device.power_watts.has_value() ? device.power_watts : device.card_power_watts;
}
// There a chip is well or not.
std::optional<double> IsWell(const DeviceHealth& device) {
  return device.state.has_value() ? std::optional(*device.state == HealthState::kOk ? 1.0 : 0.0)
                                  : std::nullopt;
}

struct NpuMetric {
  const char* name;
  const char* help;
  std::optional<double> (*value)(const DeviceHealth& device);
};
constexpr NpuMetric kNpuMetrics[] = {
    {"npu_chip_info_temperature", "Chip temperature, degrees Celsius",
     [](const DeviceHealth& d) { return d.temperature_celsius; }},
    {"npu_chip_info_power", "Power of the chip, or of its card where the chip has none, W",
     &ChipOrCardPower},
    {"npu_chip_info_voltage", "Chip voltage, V",
     [](const DeviceHealth& d) { return d.voltage_volts; }},
    {"npu_chip_info_aicore_current_freq", "AI core clock, MHz",
     [](const DeviceHealth& d) { return Times(d.frequency.ai_core_hertz, 1 / kMegahertz); }},
    {"npu_chip_info_utilization", "AI core utilization, percent",
     [](const DeviceHealth& d) { return Times(d.utilization.ai_core, kPercent); }},
    {"npu_chip_info_vector_utilization", "Vector core utilization, percent",
     [](const DeviceHealth& d) { return Times(d.utilization.vector_core, kPercent); }},
    {"npu_chip_info_overall_utilization", "Chip utilization, percent",
     [](const DeviceHealth& d) { return Times(d.utilization.npu, kPercent); }},
    {"npu_chip_info_health_status", "1 when the chip is well, else 0", &IsWell},
    {"npu_chip_info_hbm_used_memory", "HBM in use, MB",
     [](const DeviceHealth& d) { return UsedMegabytes(d.hbm); }},
    {"npu_chip_info_hbm_total_memory", "HBM, MB",
     [](const DeviceHealth& d) { return TotalMegabytes(d.hbm); }},
    {"npu_chip_info_hbm_utilization", "HBM in use, percent",
     [](const DeviceHealth& d) { return UsedPercent(d.hbm); }},
    {"npu_chip_info_hbm_temperature", "HBM temperature, degrees Celsius",
     [](const DeviceHealth& d) { return d.hbm_temperature_celsius; }},
    {"npu_chip_info_used_memory", "DDR in use, MB",
     [](const DeviceHealth& d) { return UsedMegabytes(d.ddr); }},
    {"npu_chip_info_total_memory", "DDR, MB",
     [](const DeviceHealth& d) { return TotalMegabytes(d.ddr); }},
};
// Faults have a family each there: npu_chip_info_error_code, ..._error_code_1 to ..._error_code_9.
constexpr size_t kNpuErrorCodes = 10;

Labels NpuLabels(const DeviceHealth& device) {
  Labels labels = {{"id", std::to_string(device.chip->physical_id)}};
  return device.chip->model.empty() ? labels
                                    : With(std::move(labels), "model_name", device.chip->model);
}

template <typename Value>
void AddPerChip(const HealthReport& report, std::string name, std::string help, Value value,
                Families& families) {
  Family family(MetricType::Gauge, std::move(name), std::move(help));
  for (const DeviceHealth& device : report.devices) {
    if (!device.chip.has_value()) {
      continue;  // The CPU device is no NPU, whatever it has measured.
    }
    if (const std::optional<double> sample = value(device)) {
      family.Add(NpuLabels(device), *sample);
    }
  }
  Push(std::move(family), families);
}

void AddNpuNames(const HealthReport& report, Families& families) {
  Family name(MetricType::Gauge, "npu_chip_info_name", "Always 1; the labels name the chip");
  for (const DeviceHealth& device : report.devices) {
    if (device.chip.has_value() && !device.chip->model.empty()) {
      name.Add({{"id", std::to_string(device.chip->physical_id)}, {"name", device.chip->model}}, 1);
    }
  }
  Push(std::move(name), families);
}

void AddNpuFamilies(const HealthReport& report, Families& families) {
  if (report.machine_chip_count.has_value()) {
    Family count(MetricType::Gauge, "machine_npu_nums", "Chips of the machine, served or not");
    count.Add({}, *report.machine_chip_count);
    Push(std::move(count), families);
  }
  AddNpuNames(report, families);
  for (const NpuMetric& metric : kNpuMetrics) {
    AddPerChip(report, metric.name, metric.help, metric.value, families);
  }
  for (size_t i = 0; i < kNpuErrorCodes; ++i) {
    AddPerChip(
        report, i == 0 ? "npu_chip_info_error_code" : fmt::format("npu_chip_info_error_code_{}", i),
        "A fault of the chip that stands, as a decimal number",
        [i](const DeviceHealth& device) -> std::optional<double> {
          return device.error_codes.has_value() && i < device.error_codes->size()
                     ? std::optional(static_cast<double>((*device.error_codes)[i]))
                     : std::nullopt;
        },
        families);
  }
}

}  // namespace

void AddDeviceFamilies(const std::optional<HealthReport>& report, Clock::time_point now,
                       Families& families) {
  if (!report.has_value()) {
    return;
  }
  AddSensors(*report, families);
  AddUtilization(*report, families);
  AddFrequencies(*report, families);
  AddMemory(*report, families);
  AddCondition(*report, now, families);
  AddAsGpus(*report, families);
  AddNpuFamilies(*report, families);
}

}  // namespace omserve::server
