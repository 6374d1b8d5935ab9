// SPDX-License-Identifier: Apache-2.0
// What DCMI answered about one chip, as it came, and what it means.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/health/dcmi_abi.h"
#include "runtime/health/device_health.h"

namespace omserve::health {

// A field is absent when the driver lacks the function or the call failed; what is there may still
// be one of DCMI's markers for "no value".
struct DcmiAnswers {
  std::optional<int> temperature;
  std::optional<int> power;
  std::optional<int> card_power;
  std::optional<unsigned int> voltage;
  std::optional<unsigned int> health;
  std::optional<std::vector<unsigned int>> error_codes;

  std::optional<unsigned int> ai_core_rate;
  std::optional<unsigned int> vector_core_rate;
  std::optional<unsigned int> npu_rate;
  std::optional<unsigned int> ai_cpu_rate;
  std::optional<unsigned int> control_cpu_rate;
  std::optional<unsigned int> hbm_bandwidth_rate;
  std::optional<unsigned int> ddr_bandwidth_rate;

  std::optional<unsigned int> ai_core_frequency;
  std::optional<unsigned int> hbm_frequency;
  std::optional<unsigned int> ddr_frequency;

  std::optional<dcmi_hbm_info> hbm;
  std::optional<dcmi_get_memory_info_stru> memory;
};

// The answers in our units, without those that are markers or cannot be true. Fields of
// DeviceHealth that DCMI knows nothing of stay as they were.
void AddDcmiAnswers(const DcmiAnswers& answers, DeviceHealth& health);

// "310P3-Ascend-V1" as npu-exporter writes it; "" when the chip has no name.
std::string ChipModel(const dcmi_chip_info& info);

}  // namespace omserve::health
