// SPDX-License-Identifier: Apache-2.0
// What a subgraph has to do on its device, for whoever chooses among devices.
#pragma once

#include <atomic>
#include <cstdint>

namespace omserve::scheduler {

// Thread-safe: any thread reads; the engine's device thread and submitters write. All accesses are
// relaxed: each figure stands for itself, and one that is a moment old costs a little balance,
// never an answer. On a cache line of its own, which every submission to the subgraph touches.
struct alignas(64) SubgraphLoad {
  // When a lane is free of all that the device thread had taken up, as predicted, in nanoseconds of
  // the steady clock; in the past: now. The most there is: no lane serves.
  std::atomic<int64_t> free_at_ns{0};
  std::atomic<int64_t> sent_rows{0};  // Submitted and not in that yet.
  std::atomic<int64_t> row_ns{0};     // Device time of a row in the best batch; 0: not known.
  std::atomic<int64_t> batch_ns{0};   // Device time of the shortest batch, likewise.
  std::atomic<int64_t> lane_count{1};
};

}  // namespace omserve::scheduler
