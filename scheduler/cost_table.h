// SPDX-License-Identifier: Apache-2.0
// How long a batch of each gear takes, learned from the batches that ran. Predictions of the
// scheduler rest on it: when a batch has to leave, which request can be in time, where a lane is
// free first.
#pragma once

#include <cstddef>
#include <vector>

#include "runtime/base/clock.h"

namespace omserve::scheduler {

// One subgraph's. Pure: time comes with the calls. Thread-compatible.
class CostTable final {
 public:
  explicit CostTable(size_t gears = 0) : gears_(gears) {}

  // A batch of model gear `gear` took `time` > 0, as is known at `now`.
  void Record(size_t gear, Clock::duration time, Clock::time_point now);

  // What a batch usually takes; 0: none was measured yet.
  Clock::duration Expected(size_t gear) const { return gears_[gear].mean; }

  // What a refusal may rest on: the usual time while it is fresh. Whoever refuses measures nothing,
  // so an estimate that a bad moment had raised would never be corrected. Therefore what it has
  // above the fastest run fades within seconds of silence, and after a minute nothing counts as
  // known: some request is let through and measured. `spreads` times the usual distance from it is
  // added.
  Clock::duration ForRefusal(size_t gear, Clock::time_point now, int spreads = 0) const;

  size_t size() const { return gears_.size(); }

 private:
  struct Gear {
    Clock::duration mean{0};
    Clock::duration deviation{0};  // Mean distance from the mean.
    Clock::duration fastest{0};
    Clock::time_point measured;  // When the last one was.
    int runs = 0;                // Up to kRunsToSettle.
  };

  std::vector<Gear> gears_;
};

}  // namespace omserve::scheduler
