// SPDX-License-Identifier: Apache-2.0
// A thread for mending lanes and devices, which takes long and must not hold up the device thread.
#pragma once

#include <deque>
#include <functional>
#include <string>
#include <thread>

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"

namespace omserve::scheduler {

// Runs jobs one after the other. Thread-safe, but for the destructor.
class RecoveryThread final {
 public:
  // `clock` outlives it.
  RecoveryThread(std::string name, Clock& clock);
  RecoveryThread(const RecoveryThread&) = delete;
  RecoveryThread& operator=(const RecoveryThread&) = delete;
  // Waits for the job that runs, which Pause and stopping tell; drops those behind it.
  ~RecoveryThread();

  void Submit(std::function<void()> job) ABSL_LOCKS_EXCLUDED(mu_);
  // For jobs: waits that long. False, perhaps early, when it is time to stop.
  bool Pause(Clock::duration time) ABSL_LOCKS_EXCLUDED(mu_);
  bool stopping() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mu_);

  Clock& clock_;

  mutable Mutex mu_;
  CondVar changed_;
  std::deque<std::function<void()>> jobs_ ABSL_GUARDED_BY(mu_);
  bool stop_ ABSL_GUARDED_BY(mu_) = false;

  std::jthread thread_;  // Last: joined before what it uses goes.
};

}  // namespace omserve::scheduler
