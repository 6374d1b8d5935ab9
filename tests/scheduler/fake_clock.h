// SPDX-License-Identifier: Apache-2.0
// Time that stands still until a test moves it.
#pragma once

#include <algorithm>
#include <utility>
#include <vector>

#include "runtime/base/clock.h"

namespace omserve {

// Thread-safe. Outlives those who wait on it; a condition variable that was waited on must live
// until the last Advance.
class FakeClock final : public Clock {
 public:
  time_point Now() const override {
    const MutexLock lock(mu_);
    return now_;
  }

  bool WaitUntil(CondVar& cv, Mutex& mu, time_point deadline) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    {
      const MutexLock lock(mu_);
      if (deadline <= now_) {
        return false;
      }
      const std::pair<CondVar*, Mutex*> waiter(&cv, &mu);
      if (std::find(waiters_.begin(), waiters_.end(), waiter) == waiters_.end()) {
        waiters_.push_back(waiter);
      }
    }
    cv.Wait(mu);  // For a notification or for Advance; the caller's loop asks again.
    return true;
  }

  void Advance(duration by) ABSL_LOCKS_EXCLUDED(mu_) {
    std::vector<std::pair<CondVar*, Mutex*>> waiters;
    {
      const MutexLock lock(mu_);
      now_ += by;
      waiters = waiters_;
    }
    for (const auto& [cv, mu] : waiters) {
      // Under the waiter's lock: it has either not looked at the time yet or waits already.
      const MutexLock lock(*mu);
      cv->NotifyAll();
    }
  }

 private:
  mutable Mutex mu_;
  time_point now_ ABSL_GUARDED_BY(mu_) = time_point(std::chrono::hours(1));
  std::vector<std::pair<CondVar*, Mutex*>> waiters_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve
