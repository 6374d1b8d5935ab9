// SPDX-License-Identifier: Apache-2.0
// Who goes first, who goes last, and in what order answers leave.
#include <catch2/catch.hpp>
#include <chrono>

#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Rows with deadlines go before one that has none, but only for as long as its patience lasts.
TEST_CASE("A row without a deadline is not overtaken for ever") {
  CoreHarness core({.patience = milliseconds(100)});
  const auto plan = MakePlan({{core.Add({{1}})}});
  core.Arrive(1, plan);
  core.Arrive(2, plan);  // Both places of the lane are taken.
  core.Arrive(3, plan);
  core.SetTime(milliseconds(10));
  core.Arrive(4, plan, {.deadline = At(milliseconds(90))});
  core.SetTime(milliseconds(20));
  core.Arrive(5, plan, {.deadline = At(milliseconds(110))});
  CHECK(core.Done(1).back() == "b3 = s0.0 lane 0: r4.0x1, gear 1, full");
  CHECK(core.Done(2)[3] == "b4 = s0.0 lane 0: r3.0x1, gear 1, full");
}

// A deadline beyond the patience counts as its end: later rows of the same kind stay behind.
TEST_CASE("Far deadlines go by arrival") {
  CoreHarness core({.patience = milliseconds(100)});
  const auto plan = MakePlan({{core.Add({{1, 8}})}});
  core.Arrive(1, plan);
  core.Arrive(2, plan, {.deadline = At(seconds(9))});
  core.SetTime(milliseconds(1));
  core.Arrive(3, plan, {.deadline = At(seconds(5))});
  const Lines lines = core.Done(1);
  REQUIRE(lines.size() >= 4);
  CHECK(lines[3] == "b2 = s0.0 lane 0: r2.0x1 r3.0x1, gear 8, idle");
}

// A request whose queue's timeout has passed goes behind later ones of its priority, not behind
// those of a lower one; it is not refused.
TEST_CASE("A delayed request goes last of its priority") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 8}})}});
  core.Arrive(1, plan);
  CHECK(core.Arrive(2, plan, {.delay_at = At(milliseconds(5))}) == Lines{"timer 5000us"});
  core.SetTime(milliseconds(1));
  core.Arrive(3, plan);
  core.Arrive(4, plan, {.priority = 2});
  core.SetTime(milliseconds(5));
  CHECK(core.Timer().empty());
  CHECK(core.Done(1).back() == "b2 = s0.0 lane 0: r3.0x1 r2.0x1 r4.0x1, gear 8, idle");
}

// The timeout of a step that is not queued yet counts when it is.
TEST_CASE("A delayed request is delayed in every queue") {
  CoreHarness core;
  const Subgraph* first = core.Add({{1, 8}});
  const Subgraph* second = core.Add({{1, 8}}, {.policy = {.max_delay = milliseconds(50)}});
  const auto both = MakePlan({{first}, {second, {0}}});
  const auto last = MakePlan({{second}});
  core.Arrive(1, both, {.delay_at = At(milliseconds(1))});
  core.SetTime(milliseconds(2));
  core.Timer();
  core.Done(1);  // Its second step is queued only now.
  core.Arrive(2, last);
  core.SetTime(milliseconds(60));
  CHECK(core.Timer().front() == "b2 = s1.0 lane 0: r2.0x1 r1.1x1, gear 8, delay");
}

// A delayed request is still answered at its deadline, and leaves no timer.
TEST_CASE("A delayed request keeps its deadline") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}})}});
  core.Arrive(1, plan);
  core.Arrive(2, plan);
  core.Arrive(3, plan, {.deadline = At(milliseconds(9)), .delay_at = At(milliseconds(5))});
  core.SetTime(milliseconds(5));
  CHECK(core.Timer() == Lines{"timer 9000us"});
  core.SetTime(milliseconds(9));
  CHECK(core.Timer() == Lines{"respond r3 deadline", "retire r3"});
}

// A priority with a bound of its own is full alone.
TEST_CASE("A full priority refuses its own rows only") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}}, {.level_rows = {.each = 0, .own = {{2, 1}}}})}});
  core.Arrive(1, plan);
  core.Arrive(2, plan);
  CHECK(core.Arrive(3, plan, {.priority = 2}).empty());
  CHECK(core.Arrive(4, plan, {.priority = 2}) ==
        Lines{"respond r4 refused QUEUE_ROWS", "retire r4"});
  CHECK(core.Arrive(5, plan).empty());
  CHECK(core.Arrive(6, plan, {.priority = 3}).empty());
  // A place that is free again is given again.
  core.Cancel(3);
  CHECK(core.Arrive(7, plan, {.priority = 2}).empty());
}

// Requests that arrive together are one for the queue's bound: all come in, or none.
TEST_CASE("Requests that arrive together are accepted or refused as one") {
  CoreHarness core({.max_rows = 10});
  const auto plan = MakePlan({{core.Add({{1, 4}}, {.max_queue_rows = 9})}});
  CHECK(core.ArriveTogether(1, plan, {4, 4, 2}) ==
        Lines{"respond r1 refused QUEUE_ROWS", "retire r1", "respond r2 refused QUEUE_ROWS",
              "retire r2", "respond r3 refused QUEUE_ROWS", "retire r3"});
  CHECK(core.ArriveTogether(4, plan, {4, 4, 1}) ==
        Lines{"b1 = s0.0 lane 0: r4.0x4, gear 4, full", "b2 = s0.0 lane 0: r5.0x4, gear 4, full"});
  // Two more would be eleven rows.
  CHECK(core.ArriveTogether(7, plan, {1, 1}).size() == 4);
  CHECK(core.core().request_count() == 3);
  CHECK(core.ArriveTogether(9, plan, {1}).empty());
}

// Parts that come too late, or while the core drains, are refused one and all.
TEST_CASE("Requests that arrive together share a refusal") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4}})}});
  core.SetTime(milliseconds(5));
  CHECK(core.ArriveTogether(1, plan, {4, 1}, At(milliseconds(5))) ==
        Lines{"respond r1 refused DEADLINE_PASSED", "retire r1",
              "respond r2 refused DEADLINE_PASSED", "retire r2"});
  core.Drain();
  CHECK(core.ArriveTogether(3, plan, {4, 1}) == Lines{"respond r3 refused DRAINING", "retire r3",
                                                      "respond r4 refused DRAINING", "retire r4"});
}

// Two lanes: the second request is done first, and answered second; its batch is released at once.
TEST_CASE("Answers leave in the order of arrival") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}}, {.lanes = 2})}}, /*preserve_ordering=*/true);
  core.Arrive(1, plan);
  core.Arrive(2, plan);
  CHECK(core.Done(2) == Lines{"release b2"});
  CHECK(core.Done(1) ==
        Lines{"release b1", "respond r1 ok", "retire r1", "respond r2 ok", "retire r2"});
}

// What waits for its turn does not wait for a request that fails, is cancelled or comes too late;
// these are told at once.
TEST_CASE("Failures do not hold up ordered answers") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}}, {.lanes = 4})}}, /*preserve_ordering=*/true);
  core.Arrive(1, plan);
  core.Arrive(2, plan, {.deadline = At(milliseconds(5))});
  core.Arrive(3, plan);
  core.Arrive(4, plan);
  core.Done(4);
  CHECK(core.Done(3, false) == Lines{"respond r3 failed", "retire r3", "release b3"});
  core.SetTime(milliseconds(5));
  CHECK(core.Timer() == Lines{"respond r2 deadline"});
  CHECK(core.Cancel(1) == Lines{"respond r1 cancelled", "respond r4 ok", "retire r4"});
}

// A finished request that waits for its turn ends at its deadline, and is whole when the device is
// lost.
TEST_CASE("Finished requests keep their deadline and outlive the device") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}}, {.lanes = 3})}}, /*preserve_ordering=*/true);
  core.Arrive(1, plan);
  core.Arrive(2, plan, {.deadline = At(milliseconds(5))});
  core.Arrive(3, plan);
  core.Done(2);
  core.Done(3);
  core.SetTime(milliseconds(5));
  CHECK(core.Timer() == Lines{"respond r2 deadline", "retire r2"});
  CHECK(core.DeviceLost() == Lines{"respond r1 device lost", "respond r3 ok", "retire r3"});
}

// Each plan has an order of its own.
TEST_CASE("Plans do not wait for each other") {
  CoreHarness core;
  const Subgraph* subgraph = core.Add({{1}}, {.lanes = 2});
  const auto ordered = MakePlan({{subgraph}}, /*preserve_ordering=*/true);
  const auto other = MakePlan({{subgraph}}, /*preserve_ordering=*/true);
  core.Arrive(1, ordered);
  core.Arrive(2, other);
  CHECK(core.Done(2) == Lines{"release b2", "respond r2 ok", "retire r2"});
}

}  // namespace
}  // namespace omserve::scheduler
