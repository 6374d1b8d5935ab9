// SPDX-License-Identifier: Apache-2.0
// What the core is told once: of itself, and of each subgraph when it is added.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "runtime/base/clock.h"
#include "scheduler/batch_policy.h"
#include "scheduler/cost_table.h"
#include "scheduler/pair_table.h"
#include "scheduler/run_budget.h"

namespace omserve::scheduler {

struct CoreOptions {
  // Batches in flight per lane. 2 lets the copies of one overlap the computation of the other.
  int batches_per_lane = 2;
  // Bounds on what was accepted and is not yet retired, whatever model it is for. A request that
  // comes alone is let in whatever its size.
  int max_rows = 8192;
  size_t max_input_bytes = 0;  // 0: none.
  // Of any subgraph's lanes: how long what was accepted keeps them busy. 0: none.
  Clock::duration max_queue_time{0};
  RunBudgetOptions run_budget;
  // Rows of one priority go by deadline, but a row with a later deadline, or none, as if its
  // deadline were this long after its arrival: so no stream of urgent rows keeps it out for ever.
  Clock::duration patience = std::chrono::seconds(1);
  PairOptions pairs;
};

// Rows of one priority that may wait for a subgraph; 0 = no bound.
struct LevelBounds {
  int each = 0;                 // Of each priority that is not in `own`.
  std::map<uint64_t, int> own;  // By priority.

  int Of(uint64_t priority) const {
    const auto found = own.find(priority);
    return found == own.end() ? each : found->second;
  }
};

struct SubgraphOptions {
  int lanes = 1;
  BatchPolicyOptions policy;
  // Rows that may wait for this subgraph when a request arrives; 0 = no bound of its own.
  int max_queue_rows = 0;
  LevelBounds level_rows;
  // How long its lanes may be busy with what was accepted; 0: CoreOptions::max_queue_time.
  Clock::duration max_queue_time{0};
  // What warm-up measured; of no size: nothing.
  CostTable costs = CostTable();
  // Memory for the outputs of so many batches that are launched and not released; 0: of twice as
  // many as its lanes hold, so that all outputs of these can wait for the next step while others
  // are computed. When all are taken, its rows wait: see core_memory.cc.
  int output_sets = 0;
  // By lane: 0, or it shares resources and executes only in its turn, one batch at a time; lanes
  // with the same number need the same. Empty: none is limited.
  std::vector<int> lane_limits;
};

}  // namespace omserve::scheduler
