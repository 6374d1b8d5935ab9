// SPDX-License-Identifier: Apache-2.0
// What the core refuses on arrival by bounds and predictions, and what it drops before a launch.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <string>
#include <vector>

#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// What warm-up measured, by model gear.
CostTable Costs(const std::vector<milliseconds>& costs) {
  CostTable table(costs.size());
  for (size_t gear = 0; gear < costs.size(); ++gear) {
    table.Record(gear, costs[gear], At(milliseconds(0)));
  }
  return table;
}

const Respond& LastRespond(const CoreHarness& core) {
  for (const Command& command : core.commands()) {
    if (const auto* respond = std::get_if<Respond>(&command)) {
      return *respond;
    }
  }
  FAIL("no answer was given");
  static const Respond kNone;
  return kNone;
}

bool Has(const Lines& lines, const std::string& line) {
  return std::find(lines.begin(), lines.end(), line) != lines.end();
}

CoreHarness::ArriveOptions Within(milliseconds deadline, int rows = 1) {
  return {.rows = rows, .deadline = At(deadline)};
}

// A model of 10 ms. A request that leaves 9 ms is refused even by an idle server, with no word of a
// retry; one that leaves 10 ms is served.
TEST_CASE("A deadline shorter than the model is refused at once") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}}, {.costs = Costs({milliseconds(10)})})}});
  CHECK(core.Arrive(1, plan, Within(milliseconds(9))) ==
        Lines{"respond r1 refused DEADLINE_TOO_SHORT", "retire r1"});
  CHECK(LastRespond(core).late_by == milliseconds(1));
  CHECK(LastRespond(core).refusal.retry_after == Clock::duration::zero());
  CHECK(core.Arrive(2, plan, Within(milliseconds(10))).front() ==
        "b1 = s0.0 lane 0: r2.0x1, gear 1, full");
}

// One batch of 10 ms runs, another waits behind it. A request that could be in time by itself is
// refused for what is ahead of it, and told when the way will be clear.
TEST_CASE("A deadline that the queue makes unreachable is refused with a hint") {
  CoreHarness core({.batches_per_lane = 1});
  const auto plan = MakePlan({{core.Add({{1}}, {.costs = Costs({milliseconds(10)})})}});
  core.Arrive(1, plan);
  core.Arrive(2, plan, Within(milliseconds(23)));  // The spread of a single measure is an eighth.
  CHECK(core.Arrive(3, plan, Within(milliseconds(25))) ==
        Lines{"respond r3 refused DEADLINE_UNREACHABLE", "retire r3"});
  CHECK(LastRespond(core).late_by == microseconds(7500));
  CHECK(LastRespond(core).refusal.retry_after == microseconds(7500));
  // What is less urgent does not count: it goes behind.
  core.Arrive(4, plan);
  CHECK(core.Arrive(5, plan, Within(milliseconds(33))).empty());
}

// A more urgent level does not wait for the others, and the others wait for it.
TEST_CASE("Only rows that go first count against a deadline") {
  CoreHarness core({.batches_per_lane = 1});
  const auto plan = MakePlan({{core.Add({{1}}, {.costs = Costs({milliseconds(10)})})}});
  core.Arrive(1, plan);
  for (RequestId id = 2; id <= 5; ++id) {
    core.Arrive(id, plan, {.priority = 2});
  }
  CHECK(core.Arrive(6, plan, {.priority = 1, .deadline = At(milliseconds(23))}).front() ==
        "timer 23000us");
  CHECK(core.Arrive(7, plan, {.priority = 2, .deadline = At(milliseconds(29))}).front() ==
        "respond r7 refused DEADLINE_UNREACHABLE");
}

// Two steps of 4 and 6 ms that follow one another, beside a branch of 5 ms: the longest way counts.
TEST_CASE("A pipeline's deadline is held against its longest path") {
  CoreHarness core;
  const Subgraph* four = core.Add({{1}}, {.costs = Costs({milliseconds(4)})});
  const Subgraph* six = core.Add({{1}}, {.costs = Costs({milliseconds(6)})});
  const Subgraph* five = core.Add({{1}}, {.costs = Costs({milliseconds(5)})});
  const auto plan = MakePlan({{four}, {five}, {six, {0}}});
  CHECK(core.Arrive(1, plan, Within(milliseconds(9))).front() ==
        "respond r1 refused DEADLINE_TOO_SHORT");
  CHECK(core.Arrive(2, plan, Within(milliseconds(10))).front() ==
        "b1 = s0.0 lane 0: r2.0x1, gear 1, full");
}

// The first step took longer than predicted: the second would end after the deadline, so it is not
// begun, and the client hears of it now and not at its deadline.
TEST_CASE("A step that would end too late is not launched") {
  CoreHarness core({.batches_per_lane = 1});
  const Subgraph* first = core.Add({{1}}, {.costs = Costs({milliseconds(5)})});
  const Subgraph* second = core.Add({{1}}, {.costs = Costs({milliseconds(5)})});
  const auto plan = MakePlan({{first}, {nullptr, {0}}, {second, {1}}});
  core.Arrive(1, plan, Within(milliseconds(11)));
  core.SetTime(milliseconds(7));
  CHECK(core.Done(1, true, milliseconds(5)).front() == "host r1.1");
  CHECK(core.HostDone(1, 1) == Lines{"respond r1 dropped", "retire r1", "timer off"});
  CHECK(LastRespond(core).late_by == milliseconds(1));
  CHECK(LastRespond(core).ran);
}

// The tail counts too: a first step that would be in time, but leaves the second one no time.
TEST_CASE("A step is not launched when those after it would be late") {
  CoreHarness core({.batches_per_lane = 1});
  const Subgraph* first = core.Add({{1}}, {.costs = Costs({milliseconds(5)})});
  const Subgraph* second = core.Add({{1}}, {.costs = Costs({milliseconds(5)})});
  const auto plan = MakePlan({{nullptr}, {first, {0}}, {second, {1}}});
  core.Arrive(1, plan, Within(milliseconds(12)));
  core.SetTime(milliseconds(3));
  CHECK(core.HostDone(1, 0) == Lines{"respond r1 dropped", "retire r1", "timer off"});
}

// A gear of one row in 2 ms and a gear of four in 8. A row with 5 ms left and a patient one wait
// for the lane: the urgent one goes alone, and then the other.
TEST_CASE("A batch is made small for an urgent row") {
  CoreHarness core({.batches_per_lane = 1});
  const auto plan =
      MakePlan({{core.Add({{1, 4}}, {.costs = Costs({milliseconds(2), milliseconds(8)})})}});
  core.Arrive(1, plan);
  core.Arrive(2, plan, Within(milliseconds(7)));
  core.Arrive(3, plan);
  core.SetTime(milliseconds(2));
  CHECK(Has(core.Done(1, true, milliseconds(2)), "b2 = s0.0 lane 0: r2.0x1, gear 1, deadline"));
  core.SetTime(milliseconds(4));
  CHECK(Has(core.Done(2, true, milliseconds(2)), "b3 = s0.0 lane 0: r3.0x1, gear 1, idle"));
}

// The same in a crowd, from which somebody was refused: small batches would cost everybody, so the
// urgent row is dropped and the large gear is filled.
TEST_CASE("In a crowd an urgent row is dropped for the others") {
  CoreHarness core({.batches_per_lane = 1});
  const auto plan =
      MakePlan({{core.Add({{1, 4}}, {.costs = Costs({milliseconds(3), milliseconds(6)})})}});
  core.Arrive(1, plan);
  core.Arrive(2, plan, Within(milliseconds(8)));
  for (RequestId id = 3; id <= 7; ++id) {
    core.Arrive(id, plan);
  }
  CHECK(core.Arrive(8, plan, Within(milliseconds(5))).front() ==
        "respond r8 refused DEADLINE_UNREACHABLE");
  core.SetTime(milliseconds(3));
  const Lines lines = core.Done(1, true, milliseconds(3));
  CHECK(Has(lines, "respond r2 dropped"));
  CHECK(Has(lines, "b2 = s0.0 lane 0: r3.0x1 r4.0x1 r5.0x1 r6.0x1, gear 4, full"));
}

// Inputs of 100 bytes may wait in all; what is retired makes room, and whoever comes alone is let
// in whatever its size.
TEST_CASE("Input bytes are bounded") {
  CoreHarness core({.max_input_bytes = 100});
  const auto plan = MakePlan({{core.Add({{1}})}});
  core.Arrive(1, plan, {.input_bytes = 400});
  CHECK(core.Arrive(2, plan, {.input_bytes = 1}).front() == "respond r2 refused QUEUE_BYTES");
  core.Done(1);
  core.Arrive(3, plan, {.input_bytes = 60});
  core.Arrive(4, plan, {.input_bytes = 40});
  CHECK(core.core().input_bytes() == 100);
  CHECK(core.Arrive(5, plan, {.input_bytes = 1}).front() == "respond r5 refused QUEUE_BYTES");
  CHECK(LastRespond(core).refusal.retry_after > Clock::duration::zero());
  core.Cancel(4);  // It runs: its memory is needed until it is done.
  CHECK(core.core().input_bytes() == 100);
}

// 25 ms of device time may wait for the model: with 30 ms accepted a request without any deadline
// is refused, until half of what is allowed is left.
TEST_CASE("Device time is bounded") {
  for (const bool own : {false, true}) {
    CoreHarness core(
        {.batches_per_lane = 1, .max_queue_time = own ? milliseconds(1000) : milliseconds(25)});
    const auto plan =
        MakePlan({{core.Add({{1}}, {.max_queue_time = own ? milliseconds(25) : milliseconds(0),
                                    .costs = Costs({milliseconds(10)})})}});
    core.Arrive(1, plan);
    core.Arrive(2, plan);
    core.Arrive(3, plan);
    CHECK(core.Arrive(4, plan) == Lines{"respond r4 refused QUEUE_TIME", "retire r4"});
    CHECK(LastRespond(core).refusal.retry_after == microseconds(17500));
    core.SetTime(milliseconds(10));
    core.Done(1, true, milliseconds(10));
    CHECK(core.Arrive(5, plan).empty());
  }
}

// One run was slow, and by it every request is refused: nothing runs, nothing is measured. After a
// while one is let through, and its measure puts things right.
TEST_CASE("A bad measure does not refuse for ever") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}})}});
  core.Arrive(1, plan);
  core.Done(1, true, milliseconds(500));
  const auto refused = [&core, &plan](RequestId id, milliseconds now) {
    core.SetTime(now);
    return core.Arrive(id, plan, Within(now + milliseconds(50))).front() ==
           "respond r" + std::to_string(id) + " refused DEADLINE_TOO_SHORT";
  };
  CHECK(refused(2, milliseconds(10)));
  CHECK(refused(3, milliseconds(59000)));
  CHECK_FALSE(refused(4, milliseconds(61000)));
  core.Done(2, true, milliseconds(5));
  CHECK_FALSE(refused(5, milliseconds(61010)));
}

}  // namespace
}  // namespace omserve::scheduler
