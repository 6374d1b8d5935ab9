// SPDX-License-Identifier: Apache-2.0
#include "server/core/host_metrics.h"

#include <fstream>
#include <sstream>
#include <string>

#include "server/core/metric_family.h"

namespace omserve::server {
namespace {

// Ticks of all processors together: waiting for work, and all.
bool ReadTicks(uint64_t* idle, uint64_t* all) {
  std::ifstream stat("/proc/stat");
  std::string line;
  if (!std::getline(stat, line) || !line.starts_with("cpu ")) {
    return false;
  }
  std::istringstream numbers(line.substr(4));
  constexpr int kIdle = 3;
  constexpr int kWaitingForDisk = 4;
  constexpr int kGuest = 8;  // From here on they are counted among the others already.
  uint64_t ticks = 0;
  for (int i = 0; i < kGuest && numbers >> ticks; ++i) {
    *idle += i == kIdle || i == kWaitingForDisk ? ticks : 0;
    *all += ticks;
  }
  return *all > 0;
}

void ReadMemory(HostReading& reading) {
  std::ifstream file("/proc/meminfo");
  std::string name;
  double kib = 0;
  std::string unit;
  std::optional<double> available;
  while (file >> name >> kib && std::getline(file, unit)) {
    if (name == "MemTotal:") {
      reading.memory_total_bytes = kib * 1024;
    } else if (name == "MemAvailable:") {
      available = kib * 1024;
    }
  }
  if (reading.memory_total_bytes.has_value() && available.has_value()) {
    reading.memory_used_bytes = *reading.memory_total_bytes - *available;
  }
}

}  // namespace

HostReading HostUsage::Read() {
  HostReading reading;
  ReadMemory(reading);
  uint64_t idle = 0;
  uint64_t all = 0;
  if (!ReadTicks(&idle, &all)) {
    return reading;
  }
  const MutexLock lock(mu_);
  if (all > last_all_ && idle >= last_idle_) {
    reading.busy =
        1 - static_cast<double>(idle - last_idle_) / static_cast<double>(all - last_all_);
    last_idle_ = idle;
    last_all_ = all;
  }
  return reading;
}

void AddHostFamilies(const HostReading& reading, std::vector<prometheus::MetricFamily>& families) {
  const auto add = [&families](const char* name, const char* help, std::optional<double> value) {
    if (value.has_value()) {
      Family family(prometheus::MetricType::Gauge, name, help);
      family.Add({}, *value);
      families.push_back(family.Take());
    }
  };
  add("nv_cpu_utilization", "CPU utilization rate [0.0 - 1.0]", reading.busy);
  add("nv_cpu_memory_total_bytes", "CPU total memory (RAM), in bytes", reading.memory_total_bytes);
  add("nv_cpu_memory_used_bytes", "CPU used memory (RAM), in bytes", reading.memory_used_bytes);
}

}  // namespace omserve::server
