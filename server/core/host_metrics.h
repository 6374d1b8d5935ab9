// SPDX-License-Identifier: Apache-2.0
// How busy the machine is, under Triton's names.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/base/mutex.h"

namespace omserve::server {

// What the system does not say is absent.
struct HostReading {
  std::optional<double> busy;  // Of all processors since the reading before, 0 to 1.
  std::optional<double> memory_total_bytes;
  std::optional<double> memory_used_bytes;
};

// Thread-safe. Source: Linux's /proc/stat and /proc/meminfo.
class HostUsage final {
 public:
  // The first reading tells of the time since the machine started.
  HostReading Read() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Mutex mu_;
  uint64_t last_idle_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t last_all_ ABSL_GUARDED_BY(mu_) = 0;
};

void AddHostFamilies(const HostReading& reading, std::vector<prometheus::MetricFamily>& families);

}  // namespace omserve::server
