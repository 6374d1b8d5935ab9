// SPDX-License-Identifier: Apache-2.0
#include "scheduler/batch_policy.h"

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "tests/status_test_util.h"

namespace omserve::scheduler {
namespace {

using std::chrono::milliseconds;

constexpr Clock::time_point kNow{std::chrono::seconds(100)};

BatchPolicyOptions Waiting() { return {.preferred_rows = {}, .max_delay = milliseconds(10)}; }

// `rows` ready rows, the oldest queued `age` ago, before an idle lane with gears up to 8.
QueueSnapshot Ready(int rows, milliseconds age = milliseconds(0)) {
  return {.ready_rows = rows, .oldest_ready = kNow - age, .lane_idle = true, .max_rows = 8};
}

// Every reason has a label of its own, since each is a series of the batch metrics.
TEST_CASE("Release reasons have distinct names") {
  std::set<std::string> names;
  for (int reason = 0; reason < kReleaseReasonCount; ++reason) {
    names.insert(std::string(ReleaseReasonName(static_cast<ReleaseReason>(reason))));
  }
  CHECK(names == std::set<std::string>{"full", "idle", "delay", "deadline", "bucket", "drain",
                                       "memory", "turn"});
}

// No row waits: nothing leaves and no timer is needed.
TEST_CASE("An empty queue waits for ever") {
  const BatchDecision decision = DecideBatch({}, Ready(0), kNow);
  CHECK(decision.rows == 0);
  CHECK(decision.wait_until == Clock::time_point::max());
}

// Without a configured delay a lone row leaves at once for an idle lane.
TEST_CASE("An idle lane takes what there is") {
  const BatchDecision decision = DecideBatch({}, Ready(3), kNow);
  CHECK(decision.rows == 3);
  CHECK(decision.reason == ReleaseReason::kIdle);
  CHECK_FALSE(decision.ahead);
}

// The lane is busy and the batch is not full: it would start no sooner and may still grow.
TEST_CASE("Behind a running batch only a full one leaves") {
  QueueSnapshot queue = Ready(7);
  queue.lane_idle = false;
  CHECK(DecideBatch({}, queue, kNow).rows == 0);
  CHECK(DecideBatch({}, queue, kNow).wait_until == Clock::time_point::max());
  queue.ready_rows = 8;
  const BatchDecision full = DecideBatch({}, queue, kNow);
  CHECK(full.rows == 8);
  CHECK(full.reason == ReleaseReason::kFull);
}

// Another bucket would take the place behind the running batch: the rows leave though not full.
TEST_CASE("Rows about to be overtaken leave for a busy lane") {
  QueueSnapshot queue = Ready(2);
  queue.lane_idle = false;
  queue.overtaken = true;
  const BatchDecision decision = DecideBatch({}, queue, kNow);
  CHECK(decision.rows == 2);
  CHECK(decision.reason == ReleaseReason::kBucket);
  // Where waiting is configured it still applies: others may go first meanwhile.
  CHECK(DecideBatch(Waiting(), queue, kNow).rows == 0);
}

// More rows wait than the largest gear holds: exactly that many leave.
TEST_CASE("A batch is never larger than the largest gear") {
  const BatchDecision decision = DecideBatch(Waiting(), Ready(21), kNow);
  CHECK(decision.rows == 8);
  CHECK(decision.reason == ReleaseReason::kFull);
}

// A preferred size that whole requests add up to leaves at once; the rest waits.
TEST_CASE("A preferred size counts as full") {
  BatchPolicyOptions options = Waiting();
  options.preferred_rows = {2, 4};
  CHECK(DecideBatch(options, Ready(1), kNow).rows == 0);
  QueueSnapshot queue = Ready(5);
  queue.preferred_fill = 4;
  const BatchDecision decision = DecideBatch(options, queue, kNow);
  CHECK(decision.rows == 4);
  CHECK(decision.reason == ReleaseReason::kFull);
}

// Rows below the largest preferred size that form none wait: one more may form it.
TEST_CASE("No batch leaves below a preferred size") {
  BatchPolicyOptions options = Waiting();
  options.preferred_rows = {2, 4};
  CHECK(DecideBatch(options, Ready(3), kNow).rows == 0);
}

// More rows than the largest preferred size, and none formed: what fits below it leaves.
TEST_CASE("Rows past every preferred size do not wait") {
  BatchPolicyOptions options = Waiting();
  options.preferred_rows = {2, 4};
  const BatchDecision decision = DecideBatch(options, Ready(5), kNow);
  CHECK(decision.rows == 4);
  CHECK(decision.reason == ReleaseReason::kFull);
}

// The oldest row has waited its delay, to the instant: all rows leave.
TEST_CASE("The delay bounds the wait of the oldest row") {
  const BatchDecision before = DecideBatch(Waiting(), Ready(3, milliseconds(9)), kNow);
  CHECK(before.rows == 0);
  CHECK(before.wait_until == kNow + milliseconds(1));
  const BatchDecision after = DecideBatch(Waiting(), Ready(3, milliseconds(10)), kNow);
  CHECK(after.rows == 3);
  CHECK(after.reason == ReleaseReason::kDelay);
}

// A deadline comes before the end of the delay: the batch leaves at the latest start that meets it.
TEST_CASE("A deadline shortens the delay") {
  QueueSnapshot queue = Ready(3);
  queue.latest_start = kNow + milliseconds(4);
  CHECK(DecideBatch(Waiting(), queue, kNow).wait_until == queue.latest_start);
  const BatchDecision decision = DecideBatch(Waiting(), queue, queue.latest_start);
  CHECK(decision.rows == 3);
  CHECK(decision.reason == ReleaseReason::kDeadline);
}

// A latest start that lies behind now, as for a request that came too late, does not wait.
TEST_CASE("A latest start in the past leaves at once") {
  QueueSnapshot queue = Ready(1);
  queue.latest_start = kNow - milliseconds(50);
  CHECK(DecideBatch(Waiting(), queue, kNow).reason == ReleaseReason::kDeadline);
}

// Draining: nothing more will join, so nothing waits, but a busy lane still makes it wait.
TEST_CASE("A drain ends all waiting") {
  QueueSnapshot queue = Ready(3);
  queue.hurries = true;
  const BatchDecision decision = DecideBatch(Waiting(), queue, kNow);
  CHECK(decision.rows == 3);
  CHECK(decision.reason == ReleaseReason::kDrain);
  queue.lane_idle = false;
  CHECK(DecideBatch(Waiting(), queue, kNow).rows == 0);
}

// Rows with and without inputs wait: those with inputs leave, alone.
TEST_CASE("Ready rows go before rows launched ahead") {
  QueueSnapshot queue = Ready(2);
  queue.ahead_rows = 8;
  const BatchDecision decision = DecideBatch({}, queue, kNow);
  CHECK(decision.rows == 2);
  CHECK_FALSE(decision.ahead);
}

// Only rows whose inputs are being computed wait: they leave for a lane that is idle, no other.
TEST_CASE("Rows are launched ahead only to an idle lane") {
  QueueSnapshot queue = Ready(0);
  queue.ahead_rows = 8;
  queue.oldest_ahead = kNow;
  const BatchDecision decision = DecideBatch({}, queue, kNow);
  CHECK(decision.rows == 8);
  CHECK(decision.ahead);
  queue.lane_idle = false;
  CHECK(DecideBatch({}, queue, kNow).rows == 0);
  queue.overtaken = true;
  CHECK(DecideBatch({}, queue, kNow).rows == 0);
}

// The delay of rows launched ahead runs from their own oldest.
TEST_CASE("Rows launched ahead have a delay of their own") {
  QueueSnapshot queue = Ready(0);
  queue.ahead_rows = 1;
  queue.oldest_ahead = kNow - milliseconds(3);
  CHECK(DecideBatch(Waiting(), queue, kNow).wait_until == kNow + milliseconds(7));
  queue.oldest_ahead = kNow - milliseconds(10);
  CHECK(DecideBatch(Waiting(), queue, kNow).ahead);
}

// Rows that nobody needs yet wait before an idle lane, until then or until a deadline needs them;
// not when they are about to be overtaken, not when the batch is full.
TEST_CASE("Held rows wait for company") {
  QueueSnapshot queue = Ready(3);
  queue.held_until = kNow + milliseconds(5);
  CHECK(DecideBatch({}, queue, kNow).rows == 0);
  CHECK(DecideBatch({}, queue, kNow).wait_until == queue.held_until);
  CHECK(DecideBatch({}, queue, queue.held_until).rows == 3);
  queue.latest_start = kNow + milliseconds(2);
  CHECK(DecideBatch({}, queue, kNow).wait_until == queue.latest_start);
  queue.overtaken = true;
  CHECK(DecideBatch({}, queue, kNow).rows == 3);
  queue.overtaken = false;
  queue.ready_rows = queue.max_rows;
  CHECK(DecideBatch({}, queue, kNow).reason == ReleaseReason::kFull);
}

// The same snapshot and instant give the same answer, however often it is asked.
TEST_CASE("A decision depends on its arguments alone") {
  const QueueSnapshot queue = Ready(3, milliseconds(5));
  const BatchDecision first = DecideBatch(Waiting(), queue, kNow);
  const BatchDecision second = DecideBatch(Waiting(), queue, kNow);
  CHECK(first.rows == second.rows);
  CHECK(first.wait_until == second.wait_until);
}

// Ascending sizes within the largest gear are a valid policy, as is none at all.
TEST_CASE("Preferred sizes in order are valid") {
  REQUIRE_OK(BatchPolicyOptions{}.Validate(1));
  const BatchPolicyOptions options{.preferred_rows = {1, 4, 8}, .max_delay = milliseconds(1)};
  REQUIRE_OK(options.Validate(8));
}

// A size that is no size, out of order, repeated or beyond the largest gear is named.
TEST_CASE("Preferred sizes out of order or range are refused") {
  for (const auto& [sizes, bad] : std::vector<std::pair<std::vector<int>, int>>{
           {{0}, 0}, {{-3}, -3}, {{4, 2}, 2}, {{4, 4}, 4}, {{4, 16}, 16}}) {
    const BatchPolicyOptions options{.preferred_rows = sizes, .max_delay = {}};
    const absl::Status status = options.Validate(8);
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK(MessageOf(status) == "preferred batch size " + std::to_string(bad) +
                                   ": expected ascending sizes from 1 to the largest gear 8");
  }
}

// A delay below zero has no meaning and is refused.
TEST_CASE("A negative delay is refused") {
  const BatchPolicyOptions options{.preferred_rows = {}, .max_delay = milliseconds(-1)};
  CHECK(MessageOf(options.Validate(8)) == "max_queue_delay: expected 0 or more");
}

// Without a configured delay rows wait while it pays, to a deadline at most, and let no other
// bucket take their lane.
TEST_CASE("A derived wait ends by its time, a deadline, or another bucket") {
  QueueSnapshot queue = Ready(3);
  queue.company_until = kNow + milliseconds(2);
  CHECK(DecideBatch({}, queue, kNow).rows == 0);
  CHECK(DecideBatch({}, queue, kNow).wait_until == kNow + milliseconds(2));
  CHECK(DecideBatch({}, queue, kNow + milliseconds(2)).reason == ReleaseReason::kDelay);
  queue.latest_start = kNow + milliseconds(1);
  CHECK(DecideBatch({}, queue, kNow).wait_until == kNow + milliseconds(1));
  CHECK(DecideBatch({}, queue, kNow + milliseconds(1)).reason == ReleaseReason::kDeadline);
  queue.overtaken = true;
  CHECK(DecideBatch({}, queue, kNow).reason == ReleaseReason::kBucket);
  queue.hurries = true;
  CHECK(DecideBatch({}, queue, kNow).reason == ReleaseReason::kDrain);
  queue.ready_rows = 8;
  CHECK(DecideBatch({}, queue, kNow).reason == ReleaseReason::kFull);
}

}  // namespace
}  // namespace omserve::scheduler
