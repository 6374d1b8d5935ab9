// SPDX-License-Identifier: Apache-2.0
#include "scheduler/cost_table.h"

#include <algorithm>
#include <chrono>

namespace omserve::scheduler {
namespace {

// The first runs of a gear also pay for what happens once: caches, lazy loading, clocks that wake.
// Until so many were seen the fastest one stands for them.
constexpr int kRunsToSettle = 4;

constexpr std::chrono::seconds kFresh{1};       // Then the excess over the fastest run
constexpr std::chrono::seconds kHalving{1};     // halves each second,
constexpr std::chrono::seconds kForgotten{60};  // and then nothing is known.

}  // namespace

void CostTable::Record(size_t gear_index, Clock::duration time, Clock::time_point now) {
  Gear& gear = gears_[gear_index];
  gear.measured = now;
  if (gear.runs == 0) {
    gear = {.mean = time, .deviation = time / 8, .fastest = time, .measured = now, .runs = 1};
    return;
  }
  gear.fastest = std::min(gear.fastest, time);
  if (gear.runs < kRunsToSettle) {
    ++gear.runs;
    gear.mean = gear.fastest;
    gear.deviation = gear.mean / 8;
    return;
  }
  // One run that the machine held up says little: it counts as twice the usual time at most. A gear
  // that has become slower for good is followed all the same, by an eighth with each run.
  const Clock::duration error = std::min(time, 2 * gear.mean) - gear.mean;
  gear.mean += error / 8;
  gear.deviation += (std::chrono::abs(error) - gear.deviation) / 4;
}

Clock::duration CostTable::ForRefusal(size_t gear_index, Clock::time_point now, int spreads) const {
  const Gear& gear = gears_[gear_index];
  const Clock::duration silence = now - gear.measured;
  if (silence <= kFresh) {
    return gear.mean + spreads * gear.deviation;
  }
  if (silence >= kForgotten) {
    return Clock::duration::zero();
  }
  const auto halvings = std::min<int64_t>((silence - kFresh) / kHalving, 62);
  const Clock::duration excess = gear.mean + spreads * gear.deviation - gear.fastest;
  return gear.fastest + Clock::duration(excess.count() >> halvings);
}

}  // namespace omserve::scheduler
