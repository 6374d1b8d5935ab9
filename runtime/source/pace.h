// SPDX-License-Identifier: Apache-2.0
// Bytes no faster than a limit.
#pragma once

#include <cstdint>
#include <stop_token>

#include "absl/status/status.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"

namespace omserve::source {

// Confined to one thread, but for the stop. `clock` outlives it.
class Pace final {
 public:
  // 0: as fast as they come.
  Pace(uint64_t bytes_per_second, Clock& clock)
      : bytes_per_second_(bytes_per_second), clock_(clock) {}

  // Waits until `bytes` more may have come. Errors: kCancelled.
  absl::Status Take(uint64_t bytes, const std::stop_token& stop) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  const uint64_t bytes_per_second_;
  Clock& clock_;
  Clock::time_point due_{};  // When what has come so far may have come.
  Mutex mu_;
  CondVar stopped_;
};

}  // namespace omserve::source
