// SPDX-License-Identifier: Apache-2.0
// Bytes that one thread brings in order, and others use as they come.
#pragma once

#include <cstdint>

#include "runtime/base/mutex.h"

namespace omserve {

// Thread-safe. What was written before Reach may be read after an Await of it.
class Arrival final {
 public:
  // All before `end` are there.
  void Reach(uint64_t end) ABSL_LOCKS_EXCLUDED(mu_) {
    const MutexLock lock(mu_);
    end_ = end;
    changed_.NotifyAll();
  }
  // No more will come: nobody waits any longer.
  void End() ABSL_LOCKS_EXCLUDED(mu_) {
    const MutexLock lock(mu_);
    ended_ = true;
    changed_.NotifyAll();
  }
  // Until all before `end` are there. False: they will not come.
  [[nodiscard]] bool Await(uint64_t end) ABSL_LOCKS_EXCLUDED(mu_) {
    const MutexLock lock(mu_);
    while (end_ < end && !ended_) {
      changed_.Wait(mu_);
    }
    return end_ >= end;
  }

 private:
  Mutex mu_;
  CondVar changed_;
  uint64_t end_ ABSL_GUARDED_BY(mu_) = 0;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace omserve
