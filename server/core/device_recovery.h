// SPDX-License-Identifier: Apache-2.0
// What the daemon does and tells when streams hang and devices are lost: the engine mends them, and
// here counters are kept, and readiness follows.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "scheduler/observer.h"

namespace omserve::server {

// Thread-safe. The engine's thread writes; metrics read snapshots.
class DeviceRecovery final : public scheduler::Observer {
 public:
  // All since the start.
  struct Snapshot {
    int device = 0;
    bool lost = false;
    std::map<int, uint64_t> errors;  // Batches that the device failed, by AscendCL's number.
    uint64_t lanes_abandoned = 0;
    uint64_t lanes_mended = 0;
    uint64_t losses = 0;
    uint64_t recoveries = 0;
    uint64_t failed_attempts = 0;
    Clock::duration last_recovery{0};   // From the loss to serving again; 0 before any.
    uint64_t requests_lane_hung = 0;    // Answered because their stream hung,
    uint64_t requests_device_lost = 0;  // or because the device was lost, refusals included.
  };

  // `next` is told everything too. `on_change` runs when the device was lost or is back,
  // `on_given_up` when it could not be recovered in the attempts allowed: both on the engine's
  // thread, and must not block. The reference outlives this.
  DeviceRecovery(int device, scheduler::Observer& next, std::function<void()> on_change,
                 std::function<void()> on_given_up);

  void OnBatch(const scheduler::BatchRecord& record) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnRequest(const scheduler::RequestRecord& record) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnIncident(const scheduler::DeviceIncident& incident) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnPair(const scheduler::PairRecord& record) override { next_.OnPair(record); }

  Snapshot snapshot() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void CountLocked(const scheduler::DeviceIncident& incident) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  scheduler::Observer& next_;
  const std::function<void()> on_change_;
  const std::function<void()> on_given_up_;

  mutable Mutex mu_;
  Snapshot counts_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::server
