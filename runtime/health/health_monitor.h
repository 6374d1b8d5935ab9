// SPDX-License-Identifier: Apache-2.0
// Reads device health every few seconds, on a thread of its own: a driver may take its time, or
// hang, and nothing that serves or watches waits for it.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/health/device_health.h"
#include "runtime/health/health_source.h"

namespace omserve::health {

// Thread-safe.
class HealthMonitor final {
 public:
  // Reads at once and then `interval` after the end of each reading. `clock` outlives the monitor.
  static std::unique_ptr<HealthMonitor> Start(std::unique_ptr<HealthSource> source,
                                              std::chrono::milliseconds interval, Clock& clock);
  HealthMonitor(const HealthMonitor&) = delete;
  HealthMonitor& operator=(const HealthMonitor&) = delete;
  // Blocks until a reading under way has ended; after a Stop that was OK there is none.
  ~HealthMonitor();

  // The newest whole reading; nullopt before the first has ended. Never waits for a driver.
  std::optional<HealthReport> latest() const ABSL_LOCKS_EXCLUDED(mu_);

  // Reads no more, and waits until `deadline` for a reading under way. Idempotent.
  // kInternal when the driver has not come back by then: the destructor would wait for it, so the
  // process has to end without.
  absl::Status Stop(Clock::time_point deadline) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  HealthMonitor(std::unique_ptr<HealthSource> source, std::chrono::milliseconds interval,
                Clock& clock)
      : source_(std::move(source)), interval_(interval), clock_(clock) {}
  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  // False when it is time to stop.
  bool AwaitTurn() ABSL_LOCKS_EXCLUDED(mu_);

  const std::unique_ptr<HealthSource> source_;  // Used by the thread only.
  const std::chrono::milliseconds interval_;
  Clock& clock_;

  mutable Mutex mu_;
  CondVar changed_;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  std::optional<HealthReport> latest_ ABSL_GUARDED_BY(mu_);

  std::jthread thread_;  // Last: joined before what it uses goes.
};

// Logs devices of `now` whose state or faults are not those in `before`.
void LogHealthChanges(const std::optional<HealthReport>& before, const HealthReport& now);

}  // namespace omserve::health
