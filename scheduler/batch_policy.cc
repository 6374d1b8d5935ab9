// SPDX-License-Identifier: Apache-2.0
#include "scheduler/batch_policy.h"

#include <algorithm>

#include "runtime/base/errors.h"

namespace omserve::scheduler {
namespace {

// The most rows of a batch that leaves at once; 0 when none does.
int FilledSize(const BatchPolicyOptions& options, const QueueSnapshot& queue, int rows) {
  if (rows >= queue.max_rows) {
    return queue.max_rows;
  }
  if (queue.preferred_fill > 0 || options.preferred_rows.empty()) {
    return queue.preferred_fill;
  }
  return rows > options.preferred_rows.back() ? options.preferred_rows.back() : 0;
}

}  // namespace

std::string_view ReleaseReasonName(ReleaseReason reason) {
  switch (reason) {
    case ReleaseReason::kFull:
      return "full";
    case ReleaseReason::kIdle:
      return "idle";
    case ReleaseReason::kDelay:
      return "delay";
    case ReleaseReason::kDeadline:
      return "deadline";
    case ReleaseReason::kBucket:
      return "bucket";
    case ReleaseReason::kDrain:
      return "drain";
    case ReleaseReason::kMemory:
      return "memory";
    case ReleaseReason::kTurn:
      return "turn";
  }
  return "unknown";
}

int BatchPolicyOptions::LargestPreferred(int rows) const {
  int largest = 0;
  for (const int size : preferred_rows) {
    largest = size <= rows ? size : largest;
  }
  return largest;
}

absl::Status BatchPolicyOptions::Validate(int max_rows) const {
  int previous = 0;
  for (const int size : preferred_rows) {
    if (size <= previous || size > max_rows) {
      return InvalidArgument(
          "preferred batch size {}: expected ascending sizes from 1 to the largest gear {}", size,
          max_rows);
    }
    previous = size;
  }
  if (max_delay < Clock::duration::zero()) {
    return InvalidArgument("max_queue_delay: expected 0 or more");
  }
  return absl::OkStatus();
}

BatchDecision DecideBatch(const BatchPolicyOptions& options, const QueueSnapshot& queue,
                          Clock::time_point now) {
  // Rows with inputs go before rows launched ahead: an ahead row in the batch would make them wait
  // for another lane. Ahead rows leave on their own, and only to a lane with nothing else to do.
  const bool ahead = queue.ready_rows == 0 && queue.lane_idle;
  const int rows = ahead ? queue.ahead_rows : queue.ready_rows;
  if (rows == 0) {
    return {};
  }
  if (const int filled = FilledSize(options, queue, rows); filled > 0) {
    return {.rows = filled, .ahead = ahead, .reason = ReleaseReason::kFull};
  }
  if (!queue.lane_idle && !queue.overtaken) {
    // A batch behind another one starts no sooner for leaving now, and might still grow.
    return {};
  }
  if (queue.hurries) {
    return {.rows = rows, .ahead = ahead, .reason = ReleaseReason::kDrain};
  }
  const Clock::time_point never = Clock::time_point::min();
  const bool is_configured = options.max_delay > Clock::duration::zero();
  // What is not configured is a wait for a lane that would be idle, and lets nobody pass.
  const bool is_free = !is_configured && !ahead && !queue.overtaken;
  if (is_free && now < std::min(queue.held_until, queue.latest_start)) {
    return {.wait_until = std::min(queue.held_until, queue.latest_start)};
  }
  if (!is_configured && (!is_free || queue.company_until == never)) {
    return {.rows = rows,
            .ahead = ahead,
            .reason = queue.overtaken ? ReleaseReason::kBucket : ReleaseReason::kIdle};
  }
  if (queue.latest_start <= now) {
    return {.rows = rows, .ahead = ahead, .reason = ReleaseReason::kDeadline};
  }
  const Clock::time_point delay_ends =
      is_configured ? (ahead ? queue.oldest_ahead : queue.oldest_ready) + options.max_delay
                    : queue.company_until;
  if (delay_ends <= now) {
    return {.rows = rows, .ahead = ahead, .reason = ReleaseReason::kDelay};
  }
  return {.wait_until = std::min(delay_ends, queue.latest_start)};
}

}  // namespace omserve::scheduler
