// SPDX-License-Identifier: Apache-2.0
#include "server/core/recovery_metrics.h"

#include <chrono>
#include <string>
#include <utility>

#include "server/core/metric_family.h"

namespace omserve::server {

using prometheus::MetricFamily;
using prometheus::MetricType;

void AddRecoveryFamilies(const std::vector<std::unique_ptr<DeviceRecovery>>& recovery,
                         std::vector<MetricFamily>& families) {
  std::vector<DeviceRecovery::Snapshot> all;
  for (const std::unique_ptr<DeviceRecovery>& device : recovery) {
    all.push_back(device->snapshot());
  }
  const auto label = [](const DeviceRecovery::Snapshot& counts) {
    return Labels{{"device", std::to_string(counts.device)}};
  };
  const auto per_device = [&](MetricType type, const char* name, const char* help, auto value) {
    Family family(type, name, help);
    for (const DeviceRecovery::Snapshot& counts : all) {
      family.Add(label(counts), static_cast<double>(value(counts)));
    }
    families.push_back(family.Take());
  };
  using Counts = DeviceRecovery::Snapshot;
  Family errors(MetricType::Counter, "omserve_device_errors_total",
                "Batches that the device failed, by AscendCL's code");
  Family requests(MetricType::Counter, "omserve_device_requests_abandoned_total",
                  "Requests answered unfinished, by why: their stream hung, their device was lost");
  for (const Counts& counts : all) {
    for (const auto& [code, count] : counts.errors) {
      Labels labels = label(counts);
      labels.push_back({"code", std::to_string(code)});
      errors.Add(std::move(labels), static_cast<double>(count));
    }
    for (const auto& [reason, count] : {std::pair("hung", counts.requests_lane_hung),
                                        std::pair("lost", counts.requests_device_lost)}) {
      Labels labels = label(counts);
      labels.push_back({"reason", reason});
      requests.Add(std::move(labels), static_cast<double>(count));
    }
  }
  families.push_back(errors.Take());
  families.push_back(requests.Take());
  constexpr auto kCounter = MetricType::Counter;
  constexpr auto kGauge = MetricType::Gauge;
  per_device(kCounter, "omserve_device_lanes_abandoned_total",
             "Streams that hung and were given up",
             [](const Counts& c) { return c.lanes_abandoned; });
  per_device(kCounter, "omserve_device_lanes_rebuilt_total",
             "Streams that were made anew and serve again",
             [](const Counts& c) { return c.lanes_mended; });
  per_device(kCounter, "omserve_device_losses_total", "Times that the device was lost",
             [](const Counts& c) { return c.losses; });
  per_device(kCounter, "omserve_device_recoveries_total", "Times that a lost device was recovered",
             [](const Counts& c) { return c.recoveries; });
  per_device(kCounter, "omserve_device_recovery_failures_total",
             "Attempts to recover the device that failed",
             [](const Counts& c) { return c.failed_attempts; });
  per_device(kGauge, "omserve_device_lost", "1 while the device is lost and being recovered",
             [](const Counts& c) { return c.lost ? 1 : 0; });
  per_device(
      kGauge, "omserve_device_last_recovery_seconds",
      "How long the last recovery took, from the loss to serving again",
      [](const Counts& c) { return std::chrono::duration<double>(c.last_recovery).count(); });
}

}  // namespace omserve::server
