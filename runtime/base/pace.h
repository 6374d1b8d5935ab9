// SPDX-License-Identifier: Apache-2.0
// Bytes no faster than a limit.
#pragma once

#include <cstdint>
#include <stop_token>

#include "absl/status/status.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"

namespace omserve {

// Thread-safe: all who take share the limit.
class Pace final {
 public:
  // 0: as fast as they come. `clock` outlives it.
  Pace(uint64_t bytes_per_second, Clock& clock)
      : clock_(clock), bytes_per_second_(bytes_per_second) {}
  Pace(const Pace&) = delete;
  Pace& operator=(const Pace&) = delete;

  // Waits until `bytes` more may be moved. Errors: kCancelled.
  absl::Status Take(uint64_t bytes, const std::stop_token& stop = {}) ABSL_LOCKS_EXCLUDED(mu_);
  // There is no limit any longer; whoever waits goes on.
  void Lift() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  Clock& clock_;
  Mutex mu_;
  CondVar changed_;  // Lifted, or stopped.
  uint64_t bytes_per_second_ ABSL_GUARDED_BY(mu_);
  Clock::time_point due_ ABSL_GUARDED_BY(mu_){};  // When what was taken so far may be moved.
};

}  // namespace omserve
