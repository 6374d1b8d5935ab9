// SPDX-License-Identifier: Apache-2.0
// Both sources over the CPU device; the driver is a libdcmi.so that answers from a file.
#include "runtime/health/health_source.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "runtime/health/health_monitor.h"
#include "tests/runtime/acl/acl_fixture.h"
#include "tests/scheduler/fake_clock.h"

namespace omserve::health {
namespace {

using std::chrono::milliseconds;

// What the driver answers from now on; tests/runtime/health/fake_dcmi.cc has the format.
void Script(const std::string& lines) { REQUIRE_OK(WriteFileAtomically("dcmi.txt", lines)); }

// Two devices of the CPU device, which stand for chips.
struct TwoDevices {
  std::unique_ptr<acl::Runtime> runtime = VALUE(testing::TryOpenRuntime("\"device_count\": 2"));
  std::unique_ptr<acl::Device> first = VALUE(runtime->OpenDevice(0));
  std::unique_ptr<acl::Device> second = VALUE(runtime->OpenDevice(1));
  FakeClock clock;

  std::unique_ptr<HealthSource> Chips(
      const std::string& library,
      const std::optional<std::string>& visible_devices = std::nullopt) {
    return MakeChipHealthSource({first.get(), second.get()},
                                {.dcmi_libraries = {library}, .visible_devices = visible_devices},
                                clock);
  }
};

// Device 0 is chip 0 of card 3, device 1 its chip 1; card 5 has the logical numbers 2 and 3.
constexpr char kTwoCards[] =
    "cards 0 0 3 5\nchips 3 0 2\nchips 5 0 2\n"
    "logical 0 0 3 0\nlogical 1 0 3 1\nlogical 2 0 5 0\nlogical 3 0 5 1\n"
    "physical 0 0 6\nphysical 1 0 7\nphysical 2 0 10\nphysical 3 0 11\n"
    "temperature 3 0 50\ntemperature 3 1 51\ntemperature 5 0 60\ntemperature 5 1 61\n";

// A chip for which the driver has every value.
TEST_CASE("A chip's values come from its driver and from AscendCL") {
  Script(std::string(kTwoCards) +
         "chip_name 3 0 310P3\nchip_type 3 0 Ascend\nchip_ver 3 0 V1\n"
         "power 3 0 447\ncard_power 3 0 1203\nvoltage 3 0 89\nhealth 3 0 0\nerrors 3 0 9 7 9\n"
         "frequency7 3 0 1000\nfrequency6 3 0 1600\nfrequency1 3 0 2400\n"
         "rate2 3 0 87\nrate3 3 0 3\nrate4 3 0 12\nrate5 3 0 5\nrate10 3 0 41\nrate12 3 0 20\n"
         "rate13 3 0 70\nhbm_size 3 0 65536\nhbm_used 3 0 3300\nhbm_temperature 3 0 44\n"
         "ddr_size 3 0 21534\nddr_available 3 0 20000\n");
  TwoDevices devices;
  const HealthReport report = devices.Chips(OMSERVE_FAKE_DCMI)->Read();
  CHECK(report.machine_chip_count == 4);
  REQUIRE(report.devices.size() == 2);
  const DeviceHealth& health = report.devices[0];
  CHECK(health.device == 0);
  CHECK(health.read_at == devices.clock.Now());
  CHECK(health.chip->physical_id == 6);
  CHECK(health.chip->model == "310P3-Ascend-V1");
  CHECK(health.temperature_celsius == 50);
  CHECK(health.power_watts == Approx(44.7));
  CHECK(health.card_power_watts == Approx(120.3));
  CHECK(health.voltage_volts == Approx(0.89));
  CHECK(health.state == HealthState::kOk);
  CHECK(health.error_codes == std::vector<uint32_t>{7, 9});
  CHECK(health.frequency.ai_core_hertz == 1e9);
  CHECK(health.frequency.hbm_hertz == 1.6e9);
  CHECK(health.frequency.ddr_hertz == 2.4e9);
  CHECK(health.utilization.ai_core == Approx(0.87));
  CHECK(health.utilization.ai_cpu == Approx(0.03));
  CHECK(health.utilization.control_cpu == Approx(0.12));
  CHECK(health.utilization.ddr_bandwidth == Approx(0.05));
  CHECK(health.utilization.hbm_bandwidth == Approx(0.41));
  CHECK(health.utilization.vector_core == Approx(0.20));
  CHECK(health.utilization.npu == Approx(0.70));
  CHECK(health.hbm->used_bytes == 3300.0 * 1048576);
  CHECK(health.hbm_temperature_celsius == 44);
  CHECK(health.ddr->used_bytes == 1534.0 * 1048576);
  // AscendCL's part.
  CHECK(health.is_normal == true);
  CHECK(health.utilization.cube == 0.0);
  CHECK(health.acl_memory->total_bytes == 4.0 * (1U << 30U));
  CHECK(health.acl_memory->used_bytes < health.acl_memory->total_bytes);
}

// Two cards with two chips each: every device has its own chip's values, also behind a list of
// visible devices.
TEST_CASE("Each device has the values of its chip") {
  Script(kTwoCards);
  TwoDevices devices;
  const HealthReport all = devices.Chips(OMSERVE_FAKE_DCMI)->Read();
  CHECK(all.devices[0].temperature_celsius == 50);
  CHECK(all.devices[0].chip->physical_id == 6);
  CHECK(all.devices[1].temperature_celsius == 51);
  CHECK(all.devices[1].chip->physical_id == 7);
  const HealthReport some = devices.Chips(OMSERVE_FAKE_DCMI, "1,2")->Read();
  CHECK(some.devices[0].temperature_celsius == 51);
  CHECK(some.devices[1].temperature_celsius == 60);
  CHECK(some.devices[1].chip->physical_id == 10);
  // The list is too short, and the driver does not know device 9.
  const HealthReport bad = devices.Chips(OMSERVE_FAKE_DCMI, "9")->Read();
  for (const DeviceHealth& health : bad.devices) {
    CHECK_FALSE(health.chip.has_value());
    CHECK_FALSE(health.temperature_celsius.has_value());
    CHECK(health.acl_memory.has_value());
  }
}

// A driver that supports one question only, and one that lacks most functions.
TEST_CASE("What a driver cannot tell is absent") {
  Script("logical 0 0 3 0\nlogical 1 0 3 1\ntemperature 3 0 50\nvoltage 3 0 32765\n");
  TwoDevices devices;
  for (const char* library : {OMSERVE_FAKE_DCMI, OMSERVE_PARTIAL_DCMI}) {
    INFO(library);
    const std::unique_ptr<HealthSource> source = devices.Chips(library);
    source->Read();
    const HealthReport report = source->Read();
    CHECK_FALSE(report.machine_chip_count.has_value());
    const DeviceHealth& health = report.devices[0];
    CHECK(health.temperature_celsius == 50);
    CHECK(health.chip->physical_id == 0);  // The logical number, for want of the physical one.
    CHECK(health.chip->model.empty());
    CHECK_FALSE(health.power_watts.has_value());
    CHECK_FALSE(health.card_power_watts.has_value());
    CHECK_FALSE(health.voltage_volts.has_value());
    CHECK_FALSE(health.state.has_value());
    CHECK_FALSE(health.error_codes.has_value());
    CHECK_FALSE(health.utilization.ai_core.has_value());
    CHECK_FALSE(health.frequency.ai_core_hertz.has_value());
    CHECK_FALSE(health.hbm.has_value());
    CHECK_FALSE(health.ddr.has_value());
    CHECK_FALSE(report.devices[1].temperature_celsius.has_value());
    CHECK(report.devices[1].chip.has_value());
    CHECK(report.devices[1].is_normal == true);
  }
}

// A count of chips that leaves a card out would be wrong.
TEST_CASE("Chips are not counted while a card does not answer") {
  Script("cards 0 0 3 5\nchips 3 0 2\n");
  TwoDevices devices;
  CHECK_FALSE(devices.Chips(OMSERVE_FAKE_DCMI)->Read().machine_chip_count.has_value());
}

// No library, a library that is something else, and a driver that does not start: AscendCL's values
// are still there.
TEST_CASE("Without DCMI there are AscendCL's values") {
  TwoDevices devices;
  Script("init 0 0 -8005\nlogical 0 0 3 0\ntemperature 3 0 50\n");
  for (const char* library : {"no/libdcmi.so", testing::kHostLibrary, OMSERVE_FAKE_DCMI}) {
    INFO(library);
    const HealthReport report = devices.Chips(library)->Read();
    CHECK_FALSE(report.machine_chip_count.has_value());
    REQUIRE(report.devices.size() == 2);
    CHECK_FALSE(report.devices[0].chip.has_value());
    CHECK_FALSE(report.devices[0].temperature_celsius.has_value());
    CHECK(report.devices[0].acl_memory.has_value());
    CHECK(report.devices[1].is_normal == true);
  }
}

// A chip falls ill between two readings, and recovers.
TEST_CASE("A chip's health follows the driver") {
  TwoDevices devices;
  Script(std::string(kTwoCards) + "health 3 0 0\nerrors 3 0 \n");
  const std::unique_ptr<HealthSource> source = devices.Chips(OMSERVE_FAKE_DCMI);
  HealthReport report = source->Read();
  CHECK(report.devices[0].state == HealthState::kOk);
  CHECK(report.devices[0].error_codes->empty());
  Script(std::string(kTwoCards) + "health 3 0 3\nerrors 3 0 2162161665\n");
  report = source->Read();
  CHECK(report.devices[0].state == HealthState::kCritical);
  CHECK(report.devices[0].error_codes == std::vector<uint32_t>{2162161665});
  Script(std::string(kTwoCards) + "health 3 0 4294967295\n");
  report = source->Read();
  CHECK_FALSE(report.devices[0].state.has_value());
  CHECK_FALSE(report.devices[0].error_codes.has_value());
}

// The driver keeps the monitor waiting, in its first reading: nobody else waits.
TEST_CASE("A driver that takes its time blocks nobody") {
  unlink("dcmi.fifo");
  REQUIRE(mkfifo("dcmi.fifo", 0600) == 0);
  Script(std::string(kTwoCards) + "wait 0 0 dcmi.fifo\n");
  TwoDevices devices;
  const std::unique_ptr<HealthMonitor> monitor =
      HealthMonitor::Start(devices.Chips(OMSERVE_FAKE_DCMI), milliseconds(5000), devices.clock);
  CHECK_FALSE(monitor->latest().has_value());
  CHECK(monitor->Stop(devices.clock.Now()).code() == absl::StatusCode::kInternal);
  // Opening waits for the driver to be in the call; without the line the second chip's does not
  // wait.
  const int fifo = open("dcmi.fifo", O_WRONLY | O_CLOEXEC);
  Script(kTwoCards);
  close(fifo);
  REQUIRE_OK(monitor->Stop(Clock::time_point::max()));
  CHECK(monitor->latest()->devices[0].temperature_celsius == 50);
}

// The CPU device over a machine with sensors: its devices share them, and there is no chip.
TEST_CASE("The CPU device has the machine's values") {
  const std::string root = std::filesystem::absolute("host_source").string();
  const auto write = [&root](const std::string& file, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root + file).parent_path());
    REQUIRE_OK(WriteFileAtomically(root + file, text));
  };
  write("/sys/class/powercap/intel-rapl:0/name", "package-0\n");
  write("/sys/class/powercap/intel-rapl:0/energy_uj", "0\n");
  write("/sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n");
  write("/sys/class/thermal/thermal_zone0/temp", "45000\n");
  TwoDevices devices;
  const std::unique_ptr<HealthSource> source = MakeHostHealthSource(
      {devices.first.get(), devices.second.get()}, {.root = root}, devices.clock);
  CHECK_FALSE(source->Read().devices[0].power_watts.has_value());
  devices.clock.Advance(milliseconds(5000));
  write("/sys/class/powercap/intel-rapl:0/energy_uj", "500000000\n");
  const HealthReport report = source->Read();
  CHECK_FALSE(report.machine_chip_count.has_value());
  REQUIRE(report.devices.size() == 2);
  for (const DeviceHealth& health : report.devices) {
    CHECK(health.read_at == devices.clock.Now());
    CHECK_FALSE(health.chip.has_value());
    CHECK(health.temperature_celsius == 45);
    CHECK(health.power_watts == Approx(100.0));
    CHECK_FALSE(health.utilization.process_cpu.has_value());
    CHECK_FALSE(health.utilization.ai_core.has_value());
    CHECK_FALSE(health.utilization.ai_cpu.has_value());
    CHECK(health.utilization.cube == 0.0);
    CHECK_FALSE(health.state.has_value());
    CHECK(health.is_normal == true);
    CHECK(health.acl_memory.has_value());
  }
}

// This machine, whatever it has: /proc/self/stat is always there.
TEST_CASE("The CPU device measures this process") {
  TwoDevices devices;
  const std::unique_ptr<HealthSource> source =
      MakeHostHealthSource({devices.first.get()}, {.cpu_count = 2}, devices.clock);
  source->Read();
  devices.clock.Advance(milliseconds(5000));
  const std::optional<double> share = source->Read().devices[0].utilization.process_cpu;
  REQUIRE(share.has_value());
  CHECK(*share >= 0);
  CHECK(*share <= 1);
}

}  // namespace
}  // namespace omserve::health
