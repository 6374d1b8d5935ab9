// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/pace.h"

#include <algorithm>
#include <chrono>

#include "runtime/base/errors.h"

namespace omserve {

void Pace::Lift() {
  const MutexLock lock(mu_);
  bytes_per_second_ = 0;
  changed_.NotifyAll();
}

absl::Status Pace::Take(uint64_t bytes, const std::stop_token& stop) {
  const std::stop_callback wake(stop, [this] {
    const MutexLock lock(mu_);
    changed_.NotifyAll();
  });
  const MutexLock lock(mu_);
  if (bytes_per_second_ == 0) {
    return absl::OkStatus();
  }
  // Time in which nothing came is not made up for: the limit holds over every second.
  due_ = std::max(due_, clock_.Now()) +
         std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(
             static_cast<double>(bytes) / static_cast<double>(bytes_per_second_)));
  const Clock::time_point until = due_;
  while (bytes_per_second_ != 0 && !stop.stop_requested() &&
         clock_.WaitUntil(changed_, mu_, until)) {
  }
  return stop.stop_requested() ? Cancelled("stopped") : absl::OkStatus();
}

}  // namespace omserve
