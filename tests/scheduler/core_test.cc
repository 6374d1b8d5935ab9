// SPDX-License-Identifier: Apache-2.0
// Batches of one subgraph: which rows leave together, when, in what order, on which lane.
#include "scheduler/core.h"

#include <catch2/catch.hpp>
#include <chrono>

#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

const Launch& FirstLaunch(const CoreHarness& core) {
  return std::get<Launch>(core.commands().front());
}

// A request runs from arrival to retirement; its batch's outputs are released when it is done.
TEST_CASE("A single request runs at once on an idle lane") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4}})}});
  CHECK(core.core().idle());
  CHECK(core.Arrive(1, plan) == Lines{"b1 = s0.0 lane 0: r1.0x1, gear 1, idle"});
  CHECK(core.core().request_count() == 1);
  CHECK(core.core().batch_count() == 1);
  CHECK(core.Done(1) == Lines{"respond r1 ok", "retire r1", "release b1"});
  CHECK(core.core().idle());
}

// What arrives in one turn is looked at as a whole: the first does not leave without the others.
TEST_CASE("Rows that arrive together leave together") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4}})}});
  CHECK(core.ArriveTogether({1, 2, 3}, plan) ==
        Lines{"b1 = s0.0 lane 0: r1.0x1 r2.0x1 r3.0x1, gear 4, idle"});
}

// While a batch runs the next rows gather, and leave together when it is done.
TEST_CASE("Rows gather behind a running batch") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4, 8}})}});
  core.Arrive(1, plan);
  CHECK(core.Arrive(2, plan).empty());
  CHECK(core.Arrive(3, plan, {.rows = 2}).empty());
  CHECK(core.core().queued_rows(0) == 3);
  CHECK(core.Done(1) == Lines{"respond r1 ok", "retire r1", "release b1",
                              "b2 = s0.0 lane 0: r2.0x1 r3.0x2, gear 4, idle"});
}

// A full batch does not wait for the lane: its copies overlap the computation of the one before it.
TEST_CASE("A full batch goes behind a running one") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 2}})}});
  core.Arrive(1, plan);
  CHECK(core.Arrive(2, plan).empty());
  CHECK(core.Arrive(3, plan) == Lines{"b2 = s0.0 lane 0: r2.0x1 r3.0x1, gear 2, full"});
  // The lane has its two batches: a third waits, however full.
  CHECK(core.Arrive(4, plan, {.rows = 2}).empty());
  CHECK(core.Done(1).back() == "b3 = s0.0 lane 0: r4.0x2, gear 2, full");
}

// With one batch per lane even a full one waits until the lane is free.
TEST_CASE("The limit of batches per lane holds") {
  CoreHarness core({.batches_per_lane = 1});
  const auto plan = MakePlan({{core.Add({{2}})}});
  core.Arrive(1, plan, {.rows = 2});
  CHECK(core.Arrive(2, plan, {.rows = 2}).empty());
  CHECK(core.Done(1).back() == "b2 = s0.0 lane 0: r2.0x2, gear 2, full");
}

// A second instance takes work while the first is busy; the less loaded lane is chosen.
TEST_CASE("Lanes share the work") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}}, {.lanes = 2})}});
  CHECK(core.Arrive(1, plan) == Lines{"b1 = s0.0 lane 0: r1.0x1, gear 1, full"});
  CHECK(core.Arrive(2, plan) == Lines{"b2 = s0.0 lane 1: r2.0x1, gear 1, full"});
  CHECK(core.Arrive(3, plan) == Lines{"b3 = s0.0 lane 0: r3.0x1, gear 1, full"});
  CHECK(core.Arrive(4, plan) == Lines{"b4 = s0.0 lane 1: r4.0x1, gear 1, full"});
  CHECK(core.Arrive(5, plan).empty());
  CHECK(core.Done(2).back() == "b5 = s0.0 lane 1: r5.0x1, gear 1, full");
}

// A preferred size leaves as soon as it is filled, though more would fit the gear.
TEST_CASE("A preferred size leaves at once") {
  CoreHarness core;
  const auto plan = MakePlan(
      {{core.Add({{1, 4, 8}}, {.policy = {.preferred_rows = {4}, .max_delay = milliseconds(5)}})}});
  CHECK(core.Arrive(1, plan, {.rows = 3}) == Lines{"timer 5000us"});
  CHECK(core.Arrive(2, plan) ==
        Lines{"b1 = s0.0 lane 0: r1.0x3 r2.0x1, gear 4, full", "timer off"});
}

// Single rows at preferred sizes 2 and 4: never a batch of 3 or 5, and none of one row.
TEST_CASE("Batches have preferred sizes and no others") {
  CoreHarness core;
  const BatchPolicyOptions policy = {.preferred_rows = {4}, .max_delay = milliseconds(5)};
  const auto plan = MakePlan({{core.Add({{1, 4, 8}}, {.lanes = 4, .policy = policy})}});
  std::vector<int> sizes;
  for (RequestId id = 1; id <= 12; ++id) {
    for (const std::string& line : core.Arrive(id, plan)) {
      if (line.front() == 'b') {
        sizes.push_back(FirstLaunch(core).row_count);
      }
    }
  }
  CHECK(sizes == std::vector<int>{4, 4, 4});
}

// 1 and 2 rows make no preferred size of 2 and 4; with one more row they make 4, and leave.
TEST_CASE("Requests wait for the preferred size that they can make") {
  CoreHarness core;
  const BatchPolicyOptions policy = {.preferred_rows = {2, 4}, .max_delay = milliseconds(5)};
  const auto plan = MakePlan({{core.Add({{1, 4, 8}}, {.policy = policy})}});
  core.Arrive(1, plan);
  CHECK(core.Arrive(2, plan, {.rows = 2}).empty());
  CHECK(core.Arrive(3, plan) ==
        Lines{"b1 = s0.0 lane 0: r1.0x1 r2.0x2 r3.0x1, gear 4, full", "timer off"});
}

// 3 and 2 rows can make no 4: the 3 leave at once, and the 2 wait for company.
TEST_CASE("Requests that can make no preferred size leave below it") {
  CoreHarness core;
  const BatchPolicyOptions policy = {.preferred_rows = {4}, .max_delay = milliseconds(5)};
  const auto plan = MakePlan({{core.Add({{1, 4, 8}}, {.lanes = 2, .policy = policy})}});
  core.Arrive(1, plan, {.rows = 3});
  CHECK(core.Arrive(2, plan, {.rows = 2}).front() == "b1 = s0.0 lane 0: r1.0x3, gear 4, full");
  CHECK(core.Arrive(3, plan, {.rows = 2}).front() ==
        "b2 = s0.0 lane 1: r2.0x2 r3.0x2, gear 4, full");
}

// Groups of rows are never split and never overtaken: the group that does not fit ends the batch.
TEST_CASE("A group that does not fit goes with the next batch") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4}})}});
  core.Arrive(1, plan);
  core.Arrive(2, plan, {.rows = 3});
  // 5 rows fill the gear, but 3 and 2 do not share it.
  CHECK(core.Arrive(3, plan, {.rows = 2}) == Lines{"b2 = s0.0 lane 0: r2.0x3, gear 4, full"});
  CHECK(core.Arrive(4, plan).empty());
  CHECK(core.Done(1).size() == 3);
  CHECK(core.Done(2).back() == "b3 = s0.0 lane 0: r3.0x2 r4.0x1, gear 4, idle");
}

// A group larger than the preferred size that its rows fill still leaves whole.
TEST_CASE("A large group leaves whole at a preferred size") {
  CoreHarness core;
  const auto plan = MakePlan(
      {{core.Add({{2, 8}}, {.policy = {.preferred_rows = {2}, .max_delay = milliseconds(5)}})}});
  CHECK(core.Arrive(1, plan, {.rows = 5}) == Lines{"b1 = s0.0 lane 0: r1.0x5, gear 8, full"});
}

// Configured waiting: the batch leaves when its oldest row has waited the delay, by the timer.
TEST_CASE("The delay of the oldest row releases a batch") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 2, 4}}, {.policy = {.max_delay = milliseconds(5)}})}});
  CHECK(core.Arrive(1, plan) == Lines{"timer 5000us"});
  core.SetTime(milliseconds(3));
  CHECK(core.Arrive(2, plan).empty());  // The timer stands.
  core.SetTime(milliseconds(5));
  CHECK(core.Timer() == Lines{"b1 = s0.0 lane 0: r1.0x1 r2.0x1, gear 2, delay"});
  CHECK(FirstLaunch(core).oldest_queued == At(milliseconds(0)));
  CHECK(FirstLaunch(core).total_queued == milliseconds(5 + 2));
}

// A timer that fires before anything is due arms itself again for the instant that is.
TEST_CASE("An early timer is armed again") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 2}}, {.policy = {.max_delay = milliseconds(5)}})}});
  core.Arrive(1, plan);
  core.SetTime(milliseconds(4));
  CHECK(core.Timer() == Lines{"timer 5000us"});
}

// The delay is no reason to run late: with a known cost the batch leaves at deadline less twice it.
TEST_CASE("A deadline releases a batch before its delay") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{2, 4}}, {.policy = {.max_delay = milliseconds(50)}})}});
  core.Arrive(1, plan, {.rows = 4});
  core.Done(1, true, milliseconds(3));  // Gear 4 costs 3 ms; nothing is known of gear 2.
  CHECK(core.Arrive(2, plan, {.rows = 3, .deadline = At(milliseconds(20))}) ==
        Lines{"timer 14000us"});
  core.SetTime(milliseconds(14));
  CHECK(core.Timer() == Lines{"b2 = s0.0 lane 0: r2.0x3, gear 4, deadline", "timer 20000us"});
}

// Without a known cost waiting takes half of the time to the deadline, so that some is left to run.
TEST_CASE("An unknown cost leaves half of the time") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4}}, {.policy = {.max_delay = milliseconds(50)}})}});
  CHECK(core.Arrive(1, plan, {.deadline = At(milliseconds(20))}) == Lines{"timer 10000us"});
  core.SetTime(milliseconds(10));
  CHECK(core.Timer() == Lines{"b1 = s0.0 lane 0: r1.0x1, gear 1, deadline", "timer 20000us"});
}

// The row with the tightest deadline is not the first in order: it still sets when all leave.
TEST_CASE("The tightest deadline counts whatever its priority") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4}}, {.policy = {.max_delay = milliseconds(50)}})}});
  CHECK(core.Arrive(1, plan) == Lines{"timer 50000us"});
  CHECK(core.Arrive(2, plan, {.priority = 2, .deadline = At(milliseconds(20))}) ==
        Lines{"timer 10000us"});
  core.SetTime(milliseconds(10));
  CHECK(core.Timer() ==
        Lines{"b1 = s0.0 lane 0: r1.0x1 r2.0x1, gear 4, deadline", "timer 20000us"});
}

// The cost of a gear is a mean over about its last eight batches; failures do not count.
TEST_CASE("Costs follow what batches took") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 2}}, {.policy = {.max_delay = milliseconds(50)}})}});
  const auto run = [&](RequestId id, bool ok, Clock::duration took) {
    core.Arrive(id, plan, {.rows = 2});
    core.Done(id, ok, took);
  };
  run(1, true, milliseconds(8));
  run(2, true, milliseconds(16));  // Mean: 9 ms.
  run(3, false, milliseconds(100));
  run(4, true, Clock::duration::zero());  // Not known: not counted.
  CHECK(core.Arrive(5, plan, {.deadline = At(milliseconds(40))}) ==
        Lines{"timer 20000us"});  // Gear 1 was never seen.
  core.Cancel(5);
  const auto pair = MakePlan({{core.Add({{2}}, {.policy = {.max_delay = milliseconds(50)}})}});
  core.Arrive(6, pair, {.rows = 2});
  core.Done(5, true, milliseconds(9));
  CHECK(core.Arrive(7, pair, {.deadline = At(milliseconds(40))}) == Lines{"timer 22000us"});
}

// Lower numbers go first, then earlier deadlines, then earlier arrivals.
TEST_CASE("Rows leave by priority, deadline and arrival") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 8}})}});
  core.Arrive(1, plan);
  core.Arrive(2, plan, {.priority = 2, .deadline = At(milliseconds(1))});
  core.Arrive(3, plan);
  core.Arrive(4, plan, {.deadline = At(milliseconds(9))});
  core.Arrive(5, plan, {.deadline = At(milliseconds(8))});
  core.Arrive(6, plan);
  CHECK(core.Done(1).back() ==
        "b2 = s0.0 lane 0: r5.0x1 r4.0x1 r3.0x1 r6.0x1 r2.0x1, gear 8, idle");
}

// Rows of different buckets never share a batch.
TEST_CASE("Buckets are batched apart") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4}, {1, 2}})}});
  core.Arrive(1, plan);
  core.Arrive(2, plan, {.buckets = {1}});
  core.Arrive(3, plan, {.buckets = {0}});
  core.Arrive(4, plan, {.buckets = {0}});
  CHECK(core.Done(1).back() == "b2 = s0.1 lane 0: r2.0x1, gear 1, idle");
  CHECK(core.Done(2).back() == "b3 = s0.0 lane 0: r3.0x1 r4.0x1, gear 4, idle");
}

// The most urgent bucket has the lane, whatever its place in the model's list of gears.
TEST_CASE("Buckets take the lane by priority") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4}, {1, 4}})}});
  core.Arrive(1, plan);
  core.Arrive(2, plan, {.priority = 2});
  core.Arrive(3, plan, {.buckets = {1}});
  CHECK(core.Done(1).back() == "b2 = s0.1 lane 0: r3.0x1, gear 1, idle");
}

// One bucket is always full, another never: the older rows of the latter leave first all the same.
TEST_CASE("A full bucket does not keep another out") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}, {1, 8}})}});
  core.Arrive(1, plan);
  core.Arrive(2, plan);
  core.Arrive(3, plan, {.buckets = {1}});
  core.Arrive(4, plan);
  core.Arrive(5, plan);
  CHECK(core.Done(1).back() == "b3 = s0.1 lane 0: r3.0x1, gear 1, bucket");
  CHECK(core.Done(2).back() == "b4 = s0.0 lane 0: r4.0x1, gear 1, full");
}

// A bucket that waits by its policy does not stop another that is full.
TEST_CASE("A waiting bucket lets a full one pass") {
  CoreHarness core;
  const auto plan =
      MakePlan({{core.Add({{1, 8}, {1, 2}}, {.policy = {.max_delay = milliseconds(5)}})}});
  CHECK(core.Arrive(1, plan) == Lines{"timer 5000us"});
  core.SetTime(milliseconds(1));
  CHECK(core.Arrive(2, plan, {.rows = 2, .buckets = {1}}) ==
        Lines{"b1 = s0.1 lane 0: r2.0x2, gear 2, full", "timer off"});
  CHECK(core.Done(1).back() == "timer 5000us");
}

}  // namespace
}  // namespace omserve::scheduler
