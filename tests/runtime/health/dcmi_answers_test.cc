// SPDX-License-Identifier: Apache-2.0
#include "runtime/health/dcmi_answers.h"

#include <catch2/catch.hpp>
#include <cstring>

namespace omserve::health {
namespace {

DeviceHealth Health(const DcmiAnswers& answers) {
  DeviceHealth health;
  AddDcmiAnswers(answers, health);
  return health;
}

// Every answer arrives in our unit.
TEST_CASE("DCMI's answers become values in base units") {
  const DeviceHealth health = Health(
      {.temperature = 57,
       .power = 447,
       .card_power = 1203,
       .voltage = 89,
       .health = 2,
       .error_codes = {{0x80E01801, 0x80C98000}},
       .ai_core_rate = 87,
       .vector_core_rate = 100,
       .npu_rate = 0,
       .ai_cpu_rate = 3,
       .control_cpu_rate = 12,
       .hbm_bandwidth_rate = 41,
       .ddr_bandwidth_rate = 5,
       .ai_core_frequency = 1000,
       .hbm_frequency = 1600,
       .ddr_frequency = 2400,
       .hbm = dcmi_hbm_info{.memory_size = 65536, .memory_usage = 3300, .temp = 44},
       .memory = dcmi_get_memory_info_stru{.memory_size = 21534, .memory_available = 20000}});
  CHECK(health.temperature_celsius == 57);
  CHECK(health.power_watts == Approx(44.7));
  CHECK(health.card_power_watts == Approx(120.3));
  CHECK(health.voltage_volts == Approx(0.89));
  CHECK(health.state == HealthState::kMajor);
  CHECK(health.error_codes == std::vector<uint32_t>{0x80E01801, 0x80C98000});
  CHECK(health.utilization.ai_core == Approx(0.87));
  CHECK(health.utilization.vector_core == 1.0);
  CHECK(health.utilization.npu == 0.0);
  CHECK(health.utilization.ai_cpu == Approx(0.03));
  CHECK(health.utilization.control_cpu == Approx(0.12));
  CHECK(health.utilization.hbm_bandwidth == Approx(0.41));
  CHECK(health.utilization.ddr_bandwidth == Approx(0.05));
  CHECK(health.frequency.ai_core_hertz == 1e9);
  CHECK(health.frequency.hbm_hertz == 1.6e9);
  CHECK(health.frequency.ddr_hertz == 2.4e9);
  CHECK(health.hbm->total_bytes == 65536.0 * 1048576);
  CHECK(health.hbm->used_bytes == 3300.0 * 1048576);
  CHECK(health.hbm_temperature_celsius == 44);
  CHECK(health.ddr->total_bytes == 21534.0 * 1048576);
  CHECK(health.ddr->used_bytes == 1534.0 * 1048576);
}

// Nothing was answered: nothing is known. A chip that is well has an empty list of faults, which is
// not the same.
TEST_CASE("What DCMI did not answer is absent") {
  const DeviceHealth health = Health({});
  CHECK_FALSE(health.temperature_celsius.has_value());
  CHECK_FALSE(health.power_watts.has_value());
  CHECK_FALSE(health.card_power_watts.has_value());
  CHECK_FALSE(health.state.has_value());
  CHECK_FALSE(health.error_codes.has_value());
  CHECK_FALSE(health.utilization.ai_core.has_value());
  CHECK_FALSE(health.frequency.ai_core_hertz.has_value());
  CHECK_FALSE(health.hbm.has_value());
  CHECK_FALSE(health.ddr.has_value());
  CHECK(Health({.error_codes = std::vector<unsigned int>()}).error_codes->empty());
}

// Markers stand where a value would, and look like one.
TEST_CASE("DCMI's markers for no value are absent") {
  for (const int marker : {0x7ffd, 0x7fff, -1}) {
    INFO(marker);
    CHECK_FALSE(Health({.temperature = marker}).temperature_celsius.has_value());
    CHECK_FALSE(Health({.power = marker}).power_watts.has_value());
    CHECK_FALSE(Health({.card_power = marker}).card_power_watts.has_value());
  }
  for (const unsigned int marker : {0x7ffdU, 0x7fffU, 0xFFFFFFFFU}) {
    INFO(marker);
    CHECK_FALSE(Health({.voltage = marker}).voltage_volts.has_value());
    CHECK_FALSE(Health({.health = marker}).state.has_value());
    CHECK_FALSE(Health({.ai_core_rate = marker}).utilization.ai_core.has_value());
    CHECK_FALSE(Health({.ai_core_frequency = marker}).frequency.ai_core_hertz.has_value());
  }
  CHECK_FALSE(Health({.health = 4}).state.has_value());
  CHECK_FALSE(Health({.ai_core_rate = 101}).utilization.ai_core.has_value());
  CHECK_FALSE(Health({.power = -447}).power_watts.has_value());
  CHECK(Health({.temperature = -5}).temperature_celsius == -5);  // Cold is not a marker.
}

// A 310P has no HBM and a 910B no DDR; both still answer, with zeros.
TEST_CASE("Memory that a chip does not have is absent") {
  CHECK_FALSE(Health({.hbm = dcmi_hbm_info{}}).hbm.has_value());
  CHECK_FALSE(Health({.hbm = dcmi_hbm_info{}}).hbm_temperature_celsius.has_value());
  CHECK_FALSE(Health({.memory = dcmi_get_memory_info_stru{}}).ddr.has_value());
  CHECK_FALSE(
      Health({.hbm = dcmi_hbm_info{.memory_size = 10, .memory_usage = 11}}).hbm.has_value());
  CHECK_FALSE(
      Health({.memory = dcmi_get_memory_info_stru{.memory_size = 10, .memory_available = 11}})
          .ddr.has_value());
}

// The model's name has up to three parts, and a part may fill its field.
TEST_CASE("A chip's model is named as npu-exporter names it") {
  dcmi_chip_info info{};
  CHECK(ChipModel(info).empty());
  std::memcpy(info.chip_name, "310P3", 5);
  CHECK(ChipModel(info) == "310P3");
  std::memcpy(info.chip_type, "Ascend", 6);
  std::memcpy(info.chip_ver, "V1", 2);
  CHECK(ChipModel(info) == "310P3-Ascend-V1");
  std::memset(info.chip_name, 'x', sizeof(info.chip_name));
  CHECK(ChipModel(info) == std::string(32, 'x') + "-Ascend-V1");
}

}  // namespace
}  // namespace omserve::health
