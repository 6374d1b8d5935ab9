// SPDX-License-Identifier: Apache-2.0
// So many bytes a second and no more.
#pragma once

#include <cstddef>
#include <cstdint>

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"

namespace omserve {

// What was not used is kept for up to a second. Thread-safe: all who take share the bound.
class Pace final {
 public:
  // `bytes_per_second` 0: no bound. `clock` outlives it.
  Pace(uint64_t bytes_per_second, Clock& clock);
  Pace(const Pace&) = delete;
  Pace& operator=(const Pace&) = delete;

  // Blocks until they may be moved.
  void Take(size_t bytes) ABSL_LOCKS_EXCLUDED(mu_);
  // There is no bound any longer; whoever waits goes on.
  void Lift() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Clock& clock_;
  Mutex mu_;
  CondVar lifted_;
  uint64_t bytes_per_second_ ABSL_GUARDED_BY(mu_);
  Clock::time_point paid_until_ ABSL_GUARDED_BY(mu_);  // What was taken is paid for by then.
};

}  // namespace omserve
