// SPDX-License-Identifier: Apache-2.0
// How many rows fill a batch: as many as the largest gear holds, or fewer where rows are worked off
// sooner so. Pure decisions on what was measured: time comes with the calls.
//
// As a rule the largest gear it is: a device does much of its work once for all rows. But a row
// group that is alone is read and written where it lies, if the device computes in the host's
// memory; rows that run together are first copied beside each other and then apart again. So a
// model that does little with much data takes longer for rows together than for each by itself. And
// a gear may be slow whose rows no longer fit into the memory that is near.
#pragma once

#include <cstddef>
#include <vector>

#include "runtime/base/clock.h"
#include "scheduler/cost_table.h"
#include "scheduler/subgraph.h"

namespace omserve::scheduler {

// One subgraph's. Thread-compatible.
class BatchSize final {
 public:
  explicit BatchSize(size_t model_gears = 0) : times_(model_gears), silent_(model_gears) {}

  // A batch of this model gear took `time` > 0 with the copies before and after it.
  void Record(size_t model_gear, Clock::duration time, Clock::time_point now);

  // The rows that fill a batch of the bucket whose first row group has `first` rows, which no batch
  // divides: those of the largest gear, or of the one in which a row is known to take least, if
  // that is an eighth less at least.
  int Of(const Bucket& bucket, int first) const;

 private:
  Clock::duration RowTime(const BatchGear& gear) const;

  CostTable times_;
  // By model gear: how many batches have run since the last one in it. Nobody measures a gear that
  // is passed over, so that after a while nothing is known of it, and it is tried again.
  std::vector<int> silent_;
};

}  // namespace omserve::scheduler
