// SPDX-License-Identifier: Apache-2.0
// Lanes that share resources: they launch in their turn only, and hold nothing otherwise.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>

#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

bool Has(const Lines& lines, const std::string& line) {
  return std::count(lines.begin(), lines.end(), line) == 1;
}

// A batch leaves when its turn has come, with all rows that wait by then, and gives it back.
TEST_CASE("A limited lane launches in its turn") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4}}, {.lane_limits = {1}})}});
  CHECK(core.Arrive(1, plan) == Lines{"ask s0 lane 0: t1"});
  CHECK(core.Arrive(2, plan).empty());
  CHECK(core.Granted(0, 0, 1) == Lines{"b1 = s0.0 lane 0: r1.0x1 r2.0x1, gear 4, idle"});
  CHECK(core.Done(1).back() == "return s0 lane 0");
}

// The reason says so when the lane had to wait, and the batch says how long. What is full is full.
TEST_CASE("A batch whose lane waited for its turn says so") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4}}, {.lane_limits = {1}})}});
  core.Arrive(1, plan);
  core.SetTime(milliseconds(3));
  CHECK(core.Granted(0, 0, 1, true) == Lines{"b1 = s0.0 lane 0: r1.0x1, gear 1, turn"});
  CHECK(std::get<Launch>(core.commands().front()).turn_wait == milliseconds(3));
  CHECK(std::get<Launch>(core.commands().front()).limited);
  core.Arrive(2, plan, {.rows = 4});
  core.Done(1);
  core.SetTime(milliseconds(5));
  CHECK(core.Granted(0, 0, 2, true) == Lines{"b2 = s0.0 lane 0: r2.0x4, gear 4, full"});
  CHECK(std::get<Launch>(core.commands().front()).turn_wait == milliseconds(2));
}

// Who has more to do asks for the next turn before others are let in.
TEST_CASE("A limited lane with more rows asks again in one step") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}}, {.lane_limits = {1}})}});
  core.Arrive(1, plan);
  core.Granted(0, 0, 1);
  CHECK(core.Arrive(2, plan).empty());  // One batch at a time.
  CHECK(core.Done(1).back() == "ask s0 lane 0: t2 again");
  CHECK(core.Granted(0, 0, 1).empty());  // Of the turn before.
  CHECK(core.Granted(0, 0, 2) == Lines{"b2 = s0.0 lane 0: r2.0x1, gear 1, full"});
}

// A turn that nobody needs any longer goes back at once, asked for or granted.
TEST_CASE("Cancelled rows keep no turn") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}}, {.lane_limits = {1}})}});
  core.Arrive(1, plan);
  CHECK(core.Cancel(1).back() == "return s0 lane 0 unused");
  CHECK(core.Granted(0, 0, 1).empty());
  CHECK(core.Arrive(2, plan) == Lines{"ask s0 lane 0: t2"});
}

// Its deadline passes while it waits for its turn.
TEST_CASE("Deadlines hold while a turn is awaited") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}}, {.lane_limits = {1}})}});
  core.Arrive(1, plan, {.deadline = At(microseconds(500))});
  core.SetTime(microseconds(500));
  const Lines lines = core.Timer();
  CHECK(Has(lines, "respond r1 deadline"));
  CHECK(Has(lines, "return s0 lane 0 unused"));
}

// One row needs one turn, whichever lane's; rows for two batches need two.
TEST_CASE("Lanes that need the same ask for as many turns as there are batches") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 2}}, {.lanes = 3, .lane_limits = {1, 1, 1}})}});
  CHECK(core.Arrive(1, plan) == Lines{"ask s0 lane 0: t1"});
  CHECK(core.Arrive(2, plan).empty());
  CHECK(core.Arrive(3, plan) == Lines{"ask s0 lane 1: t2"});
  CHECK(core.Granted(0, 1, 2) == Lines{"b1 = s0.0 lane 1: r1.0x1 r2.0x1, gear 2, full"});
  CHECK(core.Granted(0, 0, 1) == Lines{"b2 = s0.0 lane 0: r3.0x1, gear 1, idle"});
}

// What one lane lacks another may not need: both ask, the first to be granted launches, and the
// other wants its turn no longer.
TEST_CASE("Lanes of unlike needs ask beside each other") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 2}}, {.lanes = 2, .lane_limits = {1, 2}})}});
  CHECK(core.Arrive(1, plan) == Lines{"ask s0 lane 0: t1", "ask s0 lane 1: t2"});
  CHECK(core.Granted(0, 1, 2) ==
        Lines{"b1 = s0.0 lane 1: r1.0x1, gear 1, idle", "return s0 lane 0 unused"});
}

// An instance that shares nothing takes the rows while it is idle.
TEST_CASE("A lane that shares nothing goes before one that has to ask") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4}}, {.lanes = 2, .lane_limits = {1, 0}})}});
  CHECK(core.Arrive(1, plan) == Lines{"b1 = s0.0 lane 1: r1.0x1, gear 1, idle"});
  CHECK(core.Arrive(2, plan) == Lines{"ask s0 lane 0: t1"});
  // It is idle again before the turn comes: the rows leave, and the turn goes back.
  CHECK(core.Done(1).back() == "return s0 lane 0 unused");
}

// A step that shares resources is not launched ahead of its inputs: it would hold them idly.
TEST_CASE("A limited lane is not launched on ahead of its inputs") {
  CoreHarness core;
  const Subgraph* first = core.Add({{1, 4}});
  const Subgraph* second = core.Add({{1, 4}}, {.lane_limits = {1}});
  const auto plan = MakePlan({{first}, {second, {0}}});
  CHECK(core.Arrive(1, plan) == Lines{"b1 = s0.0 lane 0: r1.0x1, gear 1, idle"});
  CHECK(core.Done(1) == Lines{"ask s1 lane 0: t1"});
  CHECK(core.Granted(1, 0, 1) == Lines{"b2 = s1.0 lane 0: r1.1x1, gear 1, idle"});
}

// A turn that comes when the other rows have left and the rest would rather wait for company.
TEST_CASE("A turn is not kept for rows that wait for company") {
  CoreHarness core({.batches_per_lane = 1});
  const auto plan = MakePlan({{core.Add(
      {{1, 2}}, {.lanes = 2, .policy = {.max_delay = milliseconds(5)}, .lane_limits = {1, 0}})}});
  core.Arrive(1, plan, {.rows = 2});    // Lane 1, full;
  core.Arrive(2, plan, {.rows = 2});    // lane 0 asks for it,
  CHECK(core.Arrive(3, plan).empty());  // and one that may wait.
  CHECK(Has(core.Cancel(2), "respond r2 cancelled"));
  CHECK(core.Granted(0, 0, 1) == Lines{"return s0 lane 0 unused", "timer 5000us"});
}

// What runs on a lane that hangs may still use what it holds, until the lane was stopped.
TEST_CASE("An abandoned lane holds its turn until its batch is over") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}}, {.lane_limits = {1}})}});
  core.Arrive(1, plan);
  core.Granted(0, 0, 1);
  const Lines stuck = core.LaneStuck(0, 0);
  CHECK(Has(stuck, "respond r1 lane hung"));
  CHECK_FALSE(Has(stuck, "return s0 lane 0"));
  CHECK(Has(core.Done(1, false), "return s0 lane 0"));
  CHECK(core.Arrive(2, plan).empty());
  CHECK(core.LaneUp(0, 0) == Lines{"ask s0 lane 0: t2"});
}

// One that waits when it is abandoned waits no longer, and the other lane asks in its place.
TEST_CASE("An abandoned lane waits for no turn") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4}}, {.lanes = 2, .lane_limits = {1, 1}})}});
  core.Arrive(1, plan);
  CHECK(core.LaneStuck(0, 0) ==
        Lines{"abandon s0 lane 0: b0", "ask s0 lane 1: t2", "return s0 lane 0 unused"});
}

// A lost device may stay away: nobody waits for what it held, though its batches are in flight.
TEST_CASE("A lost device gives its turns back at once") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}}, {.lanes = 2, .lane_limits = {1, 1}})}});
  core.Arrive(1, plan);
  core.Granted(0, 0, 1);
  core.Arrive(2, plan);
  const Lines lost = core.DeviceLost();
  CHECK(Has(lost, "return s0 lane 0"));
  CHECK(Has(lost, "return s0 lane 1 unused"));
  CHECK_FALSE(Has(core.Done(1, false), "return s0 lane 0"));
  core.DeviceBack();
  CHECK(core.Arrive(3, plan) == Lines{"ask s0 lane 0: t3"});
}

// Requests of sequences have their lane, and wait for its turn.
TEST_CASE("Lanes that keep sequences take turns") {
  CoreHarness core;
  const auto plan = MakePlan(
      {{core.Add({{1, 2}}, {.lane_limits = {1}},
                 SequenceSpec{.slots_per_lane = 2, .max_idle = std::chrono::seconds(1)})}});
  const auto turn = [](uint64_t id) {
    return CoreHarness::ArriveOptions{.sequence = {.id = {.number = id}, .start = true}};
  };
  CHECK(Has(core.Arrive(1, plan, turn(7)), "ask s0 lane 0: t1"));
  core.Arrive(2, plan, turn(8));
  CHECK(core.Granted(0, 0, 1).front() == "b1 = s0.0 lane 0: r1.0x1@0 r2.0x1@1, gear 2, full");
  CHECK(Has(core.Done(1), "return s0 lane 0"));
}

}  // namespace
}  // namespace omserve::scheduler
