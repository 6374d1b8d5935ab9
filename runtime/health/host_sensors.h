// SPDX-License-Identifier: Apache-2.0
// A Linux machine's own sensors, from /sys and /proc. Most virtual machines have none of them.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "runtime/base/clock.h"

namespace omserve::health {

// Confined to one thread.
class HostSensors final {
 public:
  struct Options {
    std::string root;               // Goes before "/sys" and "/proc".
    int cpu_count = 1;              // Processors that make up a process_cpu of 1.
    double ticks_per_second = 100;  // Of the times in /proc/self/stat.
  };
  struct Reading {
    // The hottest of the thermal zones that are a processor's.
    std::optional<double> temperature_celsius;
    // Mean of the processor packages together since the reading before: RAPL counts energy.
    std::optional<double> power_watts;
    std::optional<double> cpu_hertz;    // Mean of the processors.
    std::optional<double> process_cpu;  // Share of all processors, since the reading before.
  };

  explicit HostSensors(Options options) : options_(std::move(options)) {}

  // Blocks on the kernel only. What needs a reading before is absent in the first one.
  Reading Read(Clock::time_point now);

 private:
  struct Energy {
    uint64_t microjoules = 0;
    uint64_t wraps_at = 0;  // The counter's largest value; 0 when it does not say.
  };
  // One for each package, by its folder; empty when one of them cannot be read, since the power of
  // some of the packages is not that of the machine.
  using Energies = std::map<std::string, Energy>;

  std::optional<double> Temperature() const;
  Energies ReadEnergies() const;
  static std::optional<double> MeanPower(const Energies& before, const Energies& after,
                                         double seconds);
  std::optional<double> CpuHertz() const;
  std::optional<uint64_t> ProcessTicks() const;

  const Options options_;
  // Of the reading before.
  std::optional<Clock::time_point> read_at_;
  Energies energies_;
  std::optional<uint64_t> process_ticks_;
};

}  // namespace omserve::health
