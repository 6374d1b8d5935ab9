// SPDX-License-Identifier: Apache-2.0
#include "runtime/health/host_sensors.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string_view>
#include <system_error>
#include <vector>

namespace omserve::health {
namespace {

constexpr double kMicro = 1e-6;
constexpr double kMilli = 1e-3;
constexpr double kKilo = 1e3;

// The first line; nullopt when it cannot be read. Such files say that they are empty or a page
// long, so they are read as streams.
std::optional<std::string> ReadLine(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) {
    return std::nullopt;
  }
  return line;
}

template <typename T>
std::optional<T> ReadNumber(const std::filesystem::path& path) {
  const std::optional<std::string> line = ReadLine(path);
  if (!line.has_value()) {
    return std::nullopt;
  }
  T value{};
  const auto [end, error] = std::from_chars(line->data(), line->data() + line->size(), value);
  if (error != std::errc() || end == line->data()) {
    return std::nullopt;
  }
  return value;
}

// The folders in `parent` whose names are `prefix` and a number, in order.
std::vector<std::filesystem::path> Numbered(const std::filesystem::path& parent,
                                            std::string_view prefix) {
  std::vector<std::filesystem::path> found;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(parent, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.size() > prefix.size() && name.starts_with(prefix) &&
        name.find_first_not_of("0123456789", prefix.size()) == std::string::npos) {
      found.push_back(entry->path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

// Zones are named by whoever wrote the driver: "x86_pkg_temp", "cpu-thermal", "cpu0_thermal".
// Others are of batteries, radios and boards.
bool IsProcessorZone(std::string_view type) {
  return type == "x86_pkg_temp" || type.find("cpu") != std::string_view::npos;
}

}  // namespace

std::optional<double> HostSensors::Temperature() const {
  std::optional<double> hottest;
  for (const auto& zone : Numbered(options_.root + "/sys/class/thermal", "thermal_zone")) {
    if (!IsProcessorZone(ReadLine(zone / "type").value_or(""))) {
      continue;
    }
    const std::optional<int64_t> millidegrees = ReadNumber<int64_t>(zone / "temp");
    if (millidegrees.has_value()) {
      hottest = std::max(hottest.value_or(static_cast<double>(*millidegrees) * kMilli),
                         static_cast<double>(*millidegrees) * kMilli);
    }
  }
  return hottest;
}

HostSensors::Energies HostSensors::ReadEnergies() const {
  // Folders "intel-rapl:N" (AMD's too); "intel-rapl:N:M" is part of one, and "intel-rapl-mmio:N"
  // the same again. Beside packages there is the platform, which contains them.
  Energies energies;
  for (const auto& zone : Numbered(options_.root + "/sys/class/powercap", "intel-rapl:")) {
    if (!ReadLine(zone / "name").value_or("").starts_with("package-")) {
      continue;
    }
    const std::optional<uint64_t> microjoules = ReadNumber<uint64_t>(zone / "energy_uj");
    if (!microjoules.has_value()) {
      return {};
    }
    energies[zone.string()] = {
        .microjoules = *microjoules,
        .wraps_at = ReadNumber<uint64_t>(zone / "max_energy_range_uj").value_or(0)};
  }
  return energies;
}

std::optional<double> HostSensors::MeanPower(const Energies& before, const Energies& after,
                                             double seconds) {
  if (after.empty() || before.size() != after.size()) {
    return std::nullopt;
  }
  double microjoules = 0;
  for (const auto& [package, energy] : after) {
    const auto earlier = before.find(package);
    if (earlier == before.end()) {
      return std::nullopt;
    }
    const uint64_t from = earlier->second.microjoules;
    if (energy.microjoules >= from) {
      microjoules += static_cast<double>(energy.microjoules - from);
    } else if (energy.wraps_at >= from) {
      // Once at most: a package at 300 W takes minutes to count through.
      microjoules += static_cast<double>(energy.wraps_at - from + energy.microjoules);
    } else {
      return std::nullopt;
    }
  }
  return microjoules * kMicro / seconds;
}

std::optional<double> HostSensors::CpuHertz() const {
  double sum = 0;
  int count = 0;
  for (const auto& cpu : Numbered(options_.root + "/sys/devices/system/cpu", "cpu")) {
    const std::optional<uint64_t> kilohertz =
        ReadNumber<uint64_t>(cpu / "cpufreq" / "scaling_cur_freq");
    if (kilohertz.has_value()) {
      sum += static_cast<double>(*kilohertz) * kKilo;
      ++count;
    }
  }
  return count == 0 ? std::nullopt : std::optional(sum / count);
}

std::optional<uint64_t> HostSensors::ProcessTicks() const {
  const std::optional<std::string> line = ReadLine(options_.root + "/proc/self/stat");
  // "PID (NAME) STATE ...": the name may hold anything, so fields are counted behind its end.
  const size_t name_end = line.has_value() ? line->rfind(')') : std::string::npos;
  if (name_end == std::string::npos) {
    return std::nullopt;
  }
  std::istringstream fields(line->substr(name_end + 1));
  std::string skipped;
  constexpr int kFieldsBefore = 11;  // From the state to the faults; then user and system time.
  for (int i = 0; i < kFieldsBefore; ++i) {
    fields >> skipped;
  }
  uint64_t user = 0;
  uint64_t system = 0;
  if (!(fields >> user >> system)) {
    return std::nullopt;
  }
  return user + system;
}

HostSensors::Reading HostSensors::Read(Clock::time_point now) {
  Reading reading{.temperature_celsius = Temperature(), .cpu_hertz = CpuHertz()};
  const Energies energies = ReadEnergies();
  const std::optional<uint64_t> ticks = ProcessTicks();
  const double seconds =
      read_at_.has_value() ? std::chrono::duration<double>(now - *read_at_).count() : 0.0;
  if (seconds > 0) {
    reading.power_watts = MeanPower(energies_, energies, seconds);
    if (ticks.has_value() && process_ticks_.has_value() && *ticks >= *process_ticks_) {
      const double busy = static_cast<double>(*ticks - *process_ticks_) / options_.ticks_per_second;
      // Ticks are coarse: a busy process may seem to have had more time than there was.
      reading.process_cpu = std::min(1.0, busy / (seconds * options_.cpu_count));
    }
  }
  read_at_ = now;
  energies_ = energies;
  process_ticks_ = ticks;
  return reading;
}

}  // namespace omserve::health
