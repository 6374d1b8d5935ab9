// SPDX-License-Identifier: Apache-2.0
// When does a batch leave, with how many rows, and why. A pure decision: no clock, lock or thread;
// the same snapshot and instant always give the same answer.
#pragma once

#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "runtime/base/clock.h"

namespace omserve::scheduler {

// Why a batch left its queue; a label of the batch metrics.
enum class ReleaseReason {
  kFull,      // The largest gear, or a preferred size, is filled.
  kIdle,      // A lane is idle and there is nothing to wait for.
  kDelay,     // The oldest row has waited the configured delay, or as long as it pays.
  kDeadline,  // The tightest deadline would be missed by waiting longer.
  kBucket,    // Less urgent rows of another bucket would have taken the place in the lane.
  kDrain,     // The server is shutting down: nothing waits for company.
  kMemory,    // Not the policy's: all memory for outputs is held, so one request goes on by itself.
  kTurn,      // Neither full nor for a deadline: its lane has the resources that it waited for.
};
inline constexpr int kReleaseReasonCount = 8;
std::string_view ReleaseReasonName(ReleaseReason reason);

struct BatchPolicyOptions {
  // Sizes at which a batch leaves at once, ascending, each within 1..largest gear; of several that
  // can be formed, the largest. The largest gear counts as one. Requests are never cut, so not
  // every size can be formed; when more rows wait than the largest of these, the whole requests
  // that fit below it leave at once: waiting could form no preferred size any more.
  std::vector<int> preferred_rows;
  // How long the oldest row may wait for a preferred or full batch; 0: no such wait.
  Clock::duration max_delay{0};
  // With a max_delay of 0: rows wait for company as long as it pays by what was measured
  // (derived_delay.h).
  bool derives_delay = false;

  // The largest preferred size of at most `rows`; 0 for none.
  int LargestPreferred(int rows) const;
  // kInvalidArgument naming the preferred size that is out of order or range.
  absl::Status Validate(int max_rows) const;
};

// What the decision may depend on. Rows are counted, not requests.
struct QueueSnapshot {
  // Rows whose inputs exist, and when the oldest of them was queued.
  int ready_rows = 0;
  Clock::time_point oldest_ready = Clock::time_point::max();
  // Rows whose inputs are being computed by batches already launched: they can be launched ahead,
  // the device makes them wait.
  int ahead_rows = 0;
  Clock::time_point oldest_ahead = Clock::time_point::max();
  // The largest preferred size that whole row groups from the front of the queue add up to, of
  // ready rows if there are any, else of those launched ahead; 0 for none.
  int preferred_fill = 0;
  // All ready rows would wait for company until then, without a configured delay: nobody is later
  // for it. min(): they would not.
  Clock::time_point held_until = Clock::time_point::min();
  // Until when it pays to wait for more rows, where the delay is derived; min(): it does not.
  Clock::time_point company_until = Clock::time_point::min();
  // The latest instant at which a batch can start and still meet the tightest deadline in it.
  Clock::time_point latest_start = Clock::time_point::max();
  // The best lane has nothing in flight. Otherwise it has something, and room for one more batch.
  bool lane_idle = false;
  // Less urgent rows of another bucket take the place in the lane if these rows do not.
  bool overtaken = false;
  bool hurries = false;  // Nothing waits for company.
  int max_rows = 1;  // The largest gear.
};

struct BatchDecision {
  // 0: wait until `wait_until` (max() = until something changes). Otherwise a batch of at most this
  // many rows leaves now.
  int rows = 0;
  // The rows may include those launched ahead of their inputs.
  bool ahead = false;
  ReleaseReason reason = ReleaseReason::kIdle;
  Clock::time_point wait_until = Clock::time_point::max();
};

BatchDecision DecideBatch(const BatchPolicyOptions& options, const QueueSnapshot& queue,
                          Clock::time_point now);

}  // namespace omserve::scheduler
