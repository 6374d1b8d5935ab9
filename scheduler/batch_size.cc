// SPDX-License-Identifier: Apache-2.0
#include "scheduler/batch_size.h"

#include <chrono>

namespace omserve::scheduler {
namespace {

// What every batch costs the host besides, about: a launch, the news of its end. For a model that
// takes no time at all small batches would not pay.
constexpr std::chrono::microseconds kLaunchCost{30};
// Of so many batches one may be wasted on what was slower before.
constexpr int kTriedAgain = 1000;

}  // namespace

void BatchSize::Record(size_t model_gear, Clock::duration time, Clock::time_point now) {
  times_.Record(model_gear, time, now);
  for (int& batches : silent_) {
    batches += batches < kTriedAgain ? 1 : 0;
  }
  silent_[model_gear] = 0;
}

Clock::duration BatchSize::RowTime(const BatchGear& gear) const {
  const Clock::duration time = times_.Expected(gear.model_gear);
  const bool is_known = time > Clock::duration::zero() && silent_[gear.model_gear] < kTriedAgain;
  return is_known ? (time + kLaunchCost) / gear.rows : Clock::duration::zero();
}

int BatchSize::Of(const Bucket& bucket, int first) const {
  const BatchGear* best = &bucket.gears.back();
  Clock::duration least = RowTime(*best);
  if (least == Clock::duration::zero()) {
    return best->rows;
  }
  for (auto gear = bucket.gears.rbegin() + 1; gear != bucket.gears.rend() && gear->rows >= first;
       ++gear) {
    const Clock::duration time = RowTime(*gear);
    if (time > Clock::duration::zero() && time < least - least / 8) {
      best = &*gear;
      least = time;
    }
  }
  return best->rows;
}

}  // namespace omserve::scheduler
