// SPDX-License-Identifier: Apache-2.0
// How a device is, as far as it is known. What the device, its driver or the machine does not say
// is absent here and in the metrics: there is no 0 that means "unknown". Plain values, copied
// freely.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/base/clock.h"

namespace omserve::health {

// The driver's scale.
enum class HealthState : uint8_t { kOk = 0, kMinor = 1, kMajor = 2, kCritical = 3 };

struct MemoryUse {
  double used_bytes = 0;
  double total_bytes = 0;
};

// Shares of full use, 0 to 1.
struct Utilization {
  std::optional<double> ai_core;
  std::optional<double> vector_core;
  std::optional<double> npu;  // The chip as a whole.
  std::optional<double> ai_cpu;
  std::optional<double> control_cpu;
  std::optional<double> hbm_bandwidth;
  std::optional<double> ddr_bandwidth;
  std::optional<double> cube;         // AscendCL's own figure; of the CPU device, cores in use.
  std::optional<double> process_cpu;  // This process, of all the machine's processors.
};

struct Frequencies {
  std::optional<double> ai_core_hertz;
  std::optional<double> hbm_hertz;
  std::optional<double> ddr_hertz;
  std::optional<double> cpu_hertz;  // Mean of the machine's processors.
};

// What names a chip to the people who care for the machine.
struct ChipIdentity {
  uint32_t physical_id = 0;  // The driver's logical number where it does not tell the physical one.
  std::string model;         // "310P3-Ascend-V1"; "" when not known.
};

struct DeviceHealth {
  int device = 0;                    // AscendCL's number.
  Clock::time_point read_at;         // When the reading began, so that its age is never too young.
  std::optional<ChipIdentity> chip;  // Only of a chip that the driver knows.

  std::optional<HealthState> state;
  std::optional<bool> is_normal;  // aclrtQueryDeviceStatus.
  // Faults that stand at the moment; nullopt when the driver does not say.
  std::optional<std::vector<uint32_t>> error_codes;

  std::optional<double> temperature_celsius;
  std::optional<double> hbm_temperature_celsius;
  std::optional<double> power_watts;
  std::optional<double> card_power_watts;  // The card that carries the chip, with all it carries.
  std::optional<double> voltage_volts;

  Utilization utilization;
  Frequencies frequency;
  std::optional<MemoryUse> hbm;         // Of the whole chip, whoever uses it.
  std::optional<MemoryUse> ddr;         // Likewise.
  std::optional<MemoryUse> acl_memory;  // As AscendCL hands it out.
};

struct HealthReport {
  std::optional<int> machine_chip_count;  // Chips that the driver sees, served or not.
  std::vector<DeviceHealth> devices;
};

}  // namespace omserve::health
