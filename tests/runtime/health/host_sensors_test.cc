// SPDX-License-Identifier: Apache-2.0
#include "runtime/health/host_sensors.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "runtime/base/file.h"
#include "tests/status_test_util.h"

namespace omserve::health {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// A /sys and /proc of a test's own.
class FakeRoot final {
 public:
  explicit FakeRoot(const std::string& name)
      : path_(std::filesystem::absolute("host_sensors_" + name).string()) {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }

  void Write(const std::string& file, const std::string& text) const {
    const std::string path = path_ + file;
    std::filesystem::create_directories(std::filesystem::path(path).parent_path());
    REQUIRE_OK(WriteFileAtomically(path, text + "\n"));
  }
  void Remove(const std::string& file) const { std::filesystem::remove(path_ + file); }

  void Package(int number, const std::string& name, const std::string& microjoules) const {
    const std::string zone = "/sys/class/powercap/intel-rapl:" + std::to_string(number);
    Write(zone + "/name", name);
    Write(zone + "/energy_uj", microjoules);
    Write(zone + "/max_energy_range_uj", "262143328850");
  }
  void Ticks(int user, int system) const {
    Write("/proc/self/stat", "77 (a (strange) name) S 1 77 77 0 -1 4194304 10 20 30 40 " +
                                 std::to_string(user) + " " + std::to_string(system) + " 0 0 20");
  }

  HostSensors Sensors() const {
    return HostSensors({.root = path_, .cpu_count = 4, .ticks_per_second = 100});
  }

 private:
  std::string path_;
};

constexpr Clock::time_point kStart(std::chrono::hours(1));

// A machine without any of the files, such as most virtual ones.
TEST_CASE("A machine without sensors has no values") {
  const FakeRoot root("none");
  HostSensors sensors = root.Sensors();
  for (int i = 0; i < 2; ++i) {
    const HostSensors::Reading reading = sensors.Read(kStart + seconds(i));
    CHECK_FALSE(reading.temperature_celsius.has_value());
    CHECK_FALSE(reading.power_watts.has_value());
    CHECK_FALSE(reading.cpu_hertz.has_value());
    CHECK_FALSE(reading.process_cpu.has_value());
  }
}

// Power is energy over time, of the packages together and of nothing that they contain or that
// contains them.
TEST_CASE("Power is the packages' energy over the time between two readings") {
  const FakeRoot root("power");
  root.Package(0, "package-0", "1000000");
  root.Package(1, "package-1", "5000000");
  root.Package(2, "psys", "1000000");
  root.Write("/sys/class/powercap/intel-rapl:0:0/name", "core");
  root.Write("/sys/class/powercap/intel-rapl-mmio:0/name", "package-0");
  root.Write("/sys/class/powercap/intel-rapl-mmio:0/energy_uj", "1");
  HostSensors sensors = root.Sensors();
  CHECK_FALSE(sensors.Read(kStart).power_watts.has_value());  // Nothing to compare with yet.
  root.Package(0, "package-0", "101000000");
  root.Package(1, "package-1", "55000000");
  root.Package(2, "psys", "900000000");
  CHECK(sensors.Read(kStart + milliseconds(2500)).power_watts == Approx(60.0));
  CHECK(sensors.Read(kStart + seconds(5)).power_watts == Approx(0.0));
  // No time has passed: nothing can be said.
  CHECK_FALSE(sensors.Read(kStart + seconds(5)).power_watts.has_value());
}

// The counter starts again behind its largest value.
TEST_CASE("A counter of energy that went round counts on") {
  const FakeRoot root("wrap");
  root.Package(0, "package-0", "262143328000");
  HostSensors sensors = root.Sensors();
  sensors.Read(kStart);
  root.Package(0, "package-0", "9999150");
  CHECK(sensors.Read(kStart + seconds(1)).power_watts == Approx(10.0));
  // Without its largest value nobody knows how far it went.
  root.Package(0, "package-0", "1000");
  root.Remove("/sys/class/powercap/intel-rapl:0/max_energy_range_uj");
  CHECK_FALSE(sensors.Read(kStart + seconds(2)).power_watts.has_value());
  root.Package(0, "package-0", "2001000");
  CHECK(sensors.Read(kStart + seconds(3)).power_watts == Approx(2.0));
}

// energy_uj is readable by root only on most machines. The power of some of the packages is not the
// machine's.
TEST_CASE("Power is absent while a package cannot be read") {
  const FakeRoot root("unreadable");
  root.Package(0, "package-0", "0");
  root.Package(1, "package-1", "0");
  HostSensors sensors = root.Sensors();
  sensors.Read(kStart);
  root.Remove("/sys/class/powercap/intel-rapl:1/energy_uj");
  CHECK_FALSE(sensors.Read(kStart + seconds(1)).power_watts.has_value());
  root.Package(1, "package-1", "1000000");
  CHECK_FALSE(sensors.Read(kStart + seconds(2)).power_watts.has_value());  // No reading before.
  root.Package(1, "package-1", "3000000");
  CHECK(sensors.Read(kStart + seconds(3)).power_watts == Approx(2.0));
  root.Package(1, "package-1", "what");
  CHECK_FALSE(sensors.Read(kStart + seconds(4)).power_watts.has_value());
}

// Zones of processors count, the hottest of them; the others are of something else.
TEST_CASE("The temperature is that of the hottest processor") {
  const FakeRoot root("thermal");
  const std::string zone = "/sys/class/thermal/thermal_zone";
  root.Write(zone + "0/type", "acpitz");
  root.Write(zone + "0/temp", "95000");
  HostSensors sensors = root.Sensors();
  CHECK_FALSE(sensors.Read(kStart).temperature_celsius.has_value());
  root.Write(zone + "1/type", "x86_pkg_temp");
  root.Write(zone + "1/temp", "41500");
  root.Write(zone + "10/type", "cpu0-thermal");
  root.Write(zone + "10/temp", "63000");
  root.Write(zone + "11/type", "cpu1-thermal");  // Its sensor is off.
  CHECK(sensors.Read(kStart).temperature_celsius == Approx(63.0));
}

// The mean over the processors that tell their clock.
TEST_CASE("The clock is the processors' mean") {
  const FakeRoot root("cpufreq");
  root.Write("/sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "2000000");
  root.Write("/sys/devices/system/cpu/cpu1/cpufreq/scaling_cur_freq", "3000000");
  root.Write("/sys/devices/system/cpu/cpu2/online", "1");
  root.Write("/sys/devices/system/cpu/cpufreq/boost", "1");
  CHECK(root.Sensors().Read(kStart).cpu_hertz == Approx(2.5e9));
}

// CPU time of user and system together, over that of all processors.
TEST_CASE("The process's share is its CPU time over that of the machine") {
  const FakeRoot root("process");
  root.Ticks(1000, 500);
  HostSensors sensors = root.Sensors();
  CHECK_FALSE(sensors.Read(kStart).process_cpu.has_value());
  root.Ticks(1300, 700);
  CHECK(sensors.Read(kStart + seconds(5)).process_cpu == Approx(0.25));  // 5 s of 4 times 5 s.
  root.Ticks(9300, 700);
  CHECK(sensors.Read(kStart + seconds(10)).process_cpu == 1.0);
  root.Write("/proc/self/stat", "77 (omserved) S 1 77");
  CHECK_FALSE(sensors.Read(kStart + seconds(15)).process_cpu.has_value());
}

}  // namespace
}  // namespace omserve::health
