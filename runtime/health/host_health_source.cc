// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include <utility>

#include "runtime/health/acl_health.h"
#include "runtime/health/health_source.h"
#include "runtime/health/host_sensors.h"

namespace omserve::health {
namespace {

class HostHealthSource final : public HealthSource {
 public:
  HostHealthSource(const std::vector<const acl::Device*>& devices, HostSensors::Options options,
                   const Clock& clock)
      : devices_(devices), clock_(clock), sensors_(std::move(options)) {}

  HealthReport Read() override {
    const Clock::time_point now = clock_.Now();
    const HostSensors::Reading reading = sensors_.Read(now);
    HealthReport report;
    for (const acl::Device* device : devices_) {
      DeviceHealth health{.device = device->id(), .read_at = now};
      health.temperature_celsius = reading.temperature_celsius;
      health.power_watts = reading.power_watts;
      health.frequency.cpu_hertz = reading.cpu_hertz;
      health.utilization.process_cpu = reading.process_cpu;
      acl_.AddTo(*device, health);
      report.devices.push_back(std::move(health));
    }
    return report;
  }

 private:
  const std::vector<const acl::Device*> devices_;
  const Clock& clock_;
  HostSensors sensors_;
  AclHealth acl_;
};

}  // namespace

std::unique_ptr<HealthSource> MakeHostHealthSource(const std::vector<const acl::Device*>& devices,
                                                   const HostSourceOptions& options,
                                                   const Clock& clock) {
  return std::make_unique<HostHealthSource>(
      devices,
      HostSensors::Options{.root = options.root,
                           .cpu_count = options.cpu_count,
                           .ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK))},
      clock);
}

}  // namespace omserve::health
