// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/pace.h"

#include <algorithm>
#include <chrono>

namespace omserve {
namespace {

constexpr std::chrono::seconds kKept{1};

}  // namespace

Pace::Pace(uint64_t bytes_per_second, Clock& clock)
    : clock_(clock), bytes_per_second_(bytes_per_second), paid_until_(clock.Now() - kKept) {}

void Pace::Lift() {
  const MutexLock lock(mu_);
  bytes_per_second_ = 0;
  lifted_.NotifyAll();
}

void Pace::Take(size_t bytes) {
  const MutexLock lock(mu_);
  if (bytes_per_second_ == 0) {
    return;
  }
  const std::chrono::duration<double> cost(static_cast<double>(bytes) /
                                           static_cast<double>(bytes_per_second_));
  paid_until_ = std::max(paid_until_, clock_.Now() - kKept) +
                std::chrono::duration_cast<Clock::duration>(cost);
  const Clock::time_point until = paid_until_;
  while (bytes_per_second_ != 0 && clock_.WaitUntil(lifted_, mu_, until)) {
  }
}

}  // namespace omserve
