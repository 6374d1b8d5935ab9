// SPDX-License-Identifier: Apache-2.0
#include "server/core/device_metrics.h"

#include <prometheus/text_serializer.h>

#include <catch2/catch.hpp>
#include <cstdio>
#include <cstdlib>
#include <regex>
#include <set>
#include <sstream>

#include "runtime/base/file.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using health::DeviceHealth;
using health::HealthReport;
using health::HealthState;
using health::MemoryUse;

constexpr Clock::time_point kRead(std::chrono::hours(1));
constexpr double kMiB = 1048576;

std::string Text(const std::optional<HealthReport>& report) {
  std::vector<prometheus::MetricFamily> families;
  AddDeviceFamilies(report, kRead + std::chrono::milliseconds(2500), families);
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, families);
  return std::move(text).str();
}

// A chip that tells everything.
DeviceHealth FullChip() {
  DeviceHealth chip{.device = 1, .read_at = kRead};
  chip.chip = {.physical_id = 6, .model = "310P3-Ascend-V1"};
  chip.state = HealthState::kMajor;
  chip.is_normal = true;
  chip.error_codes = {0x80C98000, 0x80E01801};
  chip.temperature_celsius = 57;
  chip.hbm_temperature_celsius = 44;
  chip.power_watts = 44.5;
  chip.card_power_watts = 120.25;
  chip.voltage_volts = 0.75;
  chip.utilization = {.ai_core = 0.875,
                      .vector_core = 0.25,
                      .npu = 0.5,
                      .ai_cpu = 0,
                      .control_cpu = 0.125,
                      .hbm_bandwidth = 0.5,
                      .ddr_bandwidth = 0.0625,
                      .cube = 1};
  chip.frequency = {.ai_core_hertz = 1e9, .hbm_hertz = 1.6e9, .ddr_hertz = 2.4e9};
  chip.hbm = MemoryUse{.used_bytes = 4096 * kMiB, .total_bytes = 65536 * kMiB};
  chip.ddr = MemoryUse{.used_bytes = 1024 * kMiB, .total_bytes = 8192 * kMiB};
  chip.acl_memory = MemoryUse{.used_bytes = 2048, .total_bytes = 4096};
  return chip;
}

void CheckHas(const std::string& text, const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    INFO(line << "\n" << text);
    CHECK(("\n" + text).find("\n" + line + "\n") != std::string::npos);
  }
}

// Before the first reading there is nothing, and a device of which nothing is known has an age
// only.
TEST_CASE("No values, no families") {
  CHECK(Text(std::nullopt).empty());
  const std::string text = Text(HealthReport{.devices = {{.device = 3, .read_at = kRead}}});
  CheckHas(text, {"omserve_device_health_age_seconds{device=\"3\"} 2.5"});
  CHECK(text.find("# TYPE") == text.rfind("# TYPE"));
}

// Every value of a chip, in base units.
TEST_CASE("A chip under omserve's names") {
  CheckHas(Text(HealthReport{.devices = {FullChip()}}),
           {"omserve_device_temperature_celsius{device=\"1\"} 57",
            "omserve_device_hbm_temperature_celsius{device=\"1\"} 44",
            "omserve_device_power_watts{device=\"1\"} 44.5",
            "omserve_device_card_power_watts{device=\"1\"} 120.25",
            "omserve_device_voltage_volts{device=\"1\"} 0.75",
            "omserve_device_utilization_ratio{device=\"1\",unit=\"ai_core\"} 0.875",
            "omserve_device_utilization_ratio{device=\"1\",unit=\"vector_core\"} 0.25",
            "omserve_device_utilization_ratio{device=\"1\",unit=\"npu\"} 0.5",
            "omserve_device_utilization_ratio{device=\"1\",unit=\"ai_cpu\"} 0",
            "omserve_device_utilization_ratio{device=\"1\",unit=\"control_cpu\"} 0.125",
            "omserve_device_utilization_ratio{device=\"1\",unit=\"hbm_bandwidth\"} 0.5",
            "omserve_device_utilization_ratio{device=\"1\",unit=\"ddr_bandwidth\"} 0.0625",
            "omserve_device_utilization_ratio{device=\"1\",unit=\"cube\"} 1",
            "omserve_device_frequency_hertz{device=\"1\",unit=\"ai_core\"} 1000000000",
            "omserve_device_frequency_hertz{device=\"1\",unit=\"hbm\"} 1600000000",
            "omserve_device_frequency_hertz{device=\"1\",unit=\"ddr\"} 2400000000",
            "omserve_device_memory_used_bytes{device=\"1\",kind=\"hbm\"} 4294967296",
            "omserve_device_memory_total_bytes{device=\"1\",kind=\"hbm\"} 68719476736",
            "omserve_device_memory_used_bytes{device=\"1\",kind=\"ddr\"} 1073741824",
            "omserve_device_memory_total_bytes{device=\"1\",kind=\"ddr\"} 8589934592",
            "omserve_device_memory_used_bytes{device=\"1\",kind=\"acl\"} 2048",
            "omserve_device_memory_total_bytes{device=\"1\",kind=\"acl\"} 4096",
            "omserve_device_health{device=\"1\"} 2",
            "omserve_device_normal{device=\"1\"} 1",
            "omserve_device_faults{device=\"1\",code=\"0x80C98000\"} 1",
            "omserve_device_faults{device=\"1\",code=\"0x80E01801\"} 1",
            "omserve_device_health_age_seconds{device=\"1\"} 2.5"});
}

// The same in npu-exporter's names, units and labels.
TEST_CASE("A chip under npu-exporter's names") {
  const std::string labels = "{id=\"6\",model_name=\"310P3-Ascend-V1\"} ";
  const std::string text = Text(HealthReport{.machine_chip_count = 8, .devices = {FullChip()}});
  CheckHas(text,
           {"machine_npu_nums 8", "npu_chip_info_name{id=\"6\",name=\"310P3-Ascend-V1\"} 1",
            "npu_chip_info_temperature" + labels + "57", "npu_chip_info_power" + labels + "44.5",
            "npu_chip_info_voltage" + labels + "0.75",
            "npu_chip_info_aicore_current_freq" + labels + "1000",
            "npu_chip_info_utilization" + labels + "87.5",
            "npu_chip_info_vector_utilization" + labels + "25",
            "npu_chip_info_overall_utilization" + labels + "50",
            "npu_chip_info_health_status" + labels + "0",
            "npu_chip_info_hbm_used_memory" + labels + "4096",
            "npu_chip_info_hbm_total_memory" + labels + "65536",
            "npu_chip_info_hbm_utilization" + labels + "6.25",
            "npu_chip_info_hbm_temperature" + labels + "44",
            "npu_chip_info_used_memory" + labels + "1024",
            "npu_chip_info_total_memory" + labels + "8192",
            "npu_chip_info_error_code" + labels + "2160689152",
            "npu_chip_info_error_code_1" + labels + "2162169857"});
  CHECK(text.find("npu_chip_info_error_code_2") == std::string::npos);
}

// A chip that has only its card's power, and no name; another that is well; more faults than names.
TEST_CASE("Chips that tell less") {
  HealthReport report;
  report.devices.push_back({.device = 0, .read_at = kRead});
  report.devices[0].chip = {.physical_id = 0};
  report.devices[0].card_power_watts = 71.5;
  report.devices.push_back({.device = 1, .read_at = kRead});
  report.devices[1].chip = {.physical_id = 1};
  report.devices[1].state = HealthState::kOk;
  report.devices[1].error_codes.emplace();
  for (uint32_t code = 1; code <= 12; ++code) {
    report.devices[1].error_codes->push_back(code);
  }
  const std::string text = Text(report);
  CheckHas(text, {"npu_chip_info_power{id=\"0\"} 71.5", "npu_chip_info_health_status{id=\"1\"} 1",
                  "npu_chip_info_error_code{id=\"1\"} 1", "npu_chip_info_error_code_9{id=\"1\"} 10",
                  "omserve_device_faults{device=\"1\",code=\"0x0000000C\"} 1"});
  for (const char* absent : {"omserve_device_power_watts", "npu_chip_info_error_code_10",
                             "npu_chip_info_name", "machine_npu_nums", "model_name"}) {
    INFO(absent);
    CHECK(text.find(absent) == std::string::npos);
  }
}

// The CPU device has values, and is no NPU.
TEST_CASE("The CPU device has no npu names") {
  DeviceHealth cpu{.device = 0, .read_at = kRead};
  cpu.temperature_celsius = 45;
  cpu.power_watts = 100;
  cpu.utilization.process_cpu = 0.5;
  cpu.frequency.cpu_hertz = 2.5e9;
  const std::string text = Text(HealthReport{.devices = {cpu}});
  CheckHas(text, {"omserve_device_temperature_celsius{device=\"0\"} 45",
                  "omserve_device_utilization_ratio{device=\"0\",unit=\"process_cpu\"} 0.5",
                  "omserve_device_frequency_hertz{device=\"0\",unit=\"cpu\"} 2500000000"});
  CHECK(text.find("npu_") == std::string::npos);
}

// The text format: every family once, with help and type, gauges, and samples that parse. promtool
// looks too where it is installed.
TEST_CASE("Device metrics are well-formed") {
  HealthReport report{.machine_chip_count = 2, .devices = {FullChip(), FullChip()}};
  report.devices[0].device = 0;
  report.devices[0].chip->physical_id = 5;
  const std::string text = Text(report);
  const std::regex sample(
      R"re(([a-z_][a-z0-9_]*)(\{([a-z_]+="[^"\\]*")(,[a-z_]+="[^"\\]*")*\})? -?[0-9.e+]+)re");
  std::set<std::string> families;
  std::set<std::string> series;
  std::istringstream lines(text);
  std::string family;
  for (std::string line; std::getline(lines, line);) {
    INFO(line);
    std::istringstream words(line);
    std::string hash, word, name, rest;
    words >> hash >> word >> name >> rest;
    std::smatch match;
    if (line.starts_with("# HELP ")) {
      family = name;
      CHECK(families.insert(name).second);
      CHECK_FALSE(rest.empty());
    } else if (line.starts_with("# TYPE ")) {
      CHECK(name == family);
      CHECK(rest == "gauge");
    } else {
      REQUIRE(std::regex_match(line, match, sample));
      CHECK(match[1] == family);
      CHECK(series.insert(line.substr(0, line.rfind(' '))).second);
    }
  }
  CHECK(families.size() == 13 + 18 + 4);  // Ours, npu-exporter's and Triton's.
  REQUIRE_OK(WriteFileAtomically("device_metrics.prom", text));
  // NOLINTBEGIN(concurrency-mt-unsafe): this program has one thread.
  if (std::system("command -v promtool >promtool.txt") == 0) {
    CHECK(std::system("promtool check metrics <device_metrics.prom >promtool.txt 2>&1") == 0);
    CHECK(VALUE(ReadFile("promtool.txt")).empty());
  }
  // NOLINTEND(concurrency-mt-unsafe)
}

}  // namespace
}  // namespace omserve::server
