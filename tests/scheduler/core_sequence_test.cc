// SPDX-License-Identifier: Apache-2.0
// Sequences in the core: which rows make a batch, where they stand, and what ends with a request
// that is lost.
#include <catch2/catch.hpp>
#include <chrono>

#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

using std::chrono::microseconds;

SequenceSpec Direct(int slots) {
  return {.slots_per_lane = slots, .max_idle = std::chrono::milliseconds(1)};
}

SequenceSpec Oldest(int candidates) {
  SequenceSpec spec = Direct(candidates);
  spec.strategy = SequenceSpec::Strategy::kOldest;
  return spec;
}

CoreHarness::ArriveOptions Turn(uint64_t id, bool start = false, bool end = false) {
  return {.sequence = {.id = {.number = id}, .start = start, .end = end}};
}

// Rows keep the places of their slots: the row of a sequence that has nothing to do is left out,
// and the gear is that of the last row.
TEST_CASE("direct: a sequence has a row to itself") {
  CoreHarness core;
  const auto plan = MakePlan({{.subgraph = core.Add({{1, 2, 4}}, {}, Direct(4))}});
  CHECK(core.Arrive(1, plan, Turn(7, true)) == Lines{"b1 = s0.0 lane 0: r1.0x1@0, gear 1, idle"});
  CHECK(core.Arrive(2, plan, Turn(8, true)).empty());
  CHECK(core.Arrive(3, plan, Turn(9, true)).empty());
  CHECK(core.Done(1) == Lines{"respond r1 ok", "retire r1", "release b1",
                              "b2 = s0.0 lane 0: r2.0x1@1 r3.0x1@2, gear 4, idle", "timer 1000us"});
}

// The second request of a sequence waits for the first, whatever room the lane has.
TEST_CASE("direct: requests of a sequence run one after the other") {
  CoreHarness core({.batches_per_lane = 2});
  const auto plan = MakePlan({{.subgraph = core.Add({{1}}, {}, Direct(1))}});
  core.Arrive(1, plan, Turn(7, true));
  CHECK(core.Arrive(2, plan, Turn(7, false, true)).empty());
  CHECK(core.Done(1) == Lines{"respond r1 ok", "retire r1", "release b1",
                              "b2 = s0.0 lane 0: r2.0x1@0, gear 1, full"});
  CHECK(core.Done(2) == Lines{"respond r2 ok", "retire r2", "release b2"});
  CHECK(core.Arrive(3, plan, Turn(7)) == Lines{"respond r3 sequence not started", "retire r3"});
}

// One row of each sequence at most, the oldest first, no more than the gear takes.
TEST_CASE("oldest: batches take the oldest of the candidates") {
  CoreHarness core({.batches_per_lane = 1});
  const auto plan = MakePlan({{.subgraph = core.Add({{1, 2}}, {}, Oldest(4))}});
  core.Arrive(1, plan, Turn(1, true));
  core.Arrive(2, plan, Turn(1));
  core.Arrive(3, plan, Turn(2, true));
  core.Arrive(4, plan, Turn(3, true));
  core.Arrive(5, plan, Turn(4, true));
  CHECK(core.Done(1).back() == "b2 = s0.0 lane 0: r2.0x1@0 r3.0x1@1, gear 2, full");
}

// A sequence that has had nothing to do for long enough loses its slot to one that waits.
TEST_CASE("an idle sequence makes room") {
  CoreHarness core;
  const auto plan = MakePlan({{.subgraph = core.Add({{1}}, {}, Direct(1))}});
  core.Arrive(1, plan, Turn(7, true));
  core.SetTime(microseconds(100));
  CHECK(core.Done(1).back() == "timer 1100us");
  CHECK(core.Arrive(2, plan, Turn(8, true)).empty());
  CHECK(core.core().sequence_counts(0).backlog == 1);
  core.SetTime(microseconds(1100));
  CHECK(core.Timer() == Lines{"b2 = s0.0 lane 0: r2.0x1@0, gear 1, full"});
  CHECK(core.core().sequence_counts(0).expired == 1);
}

// What comes after a request that is cancelled would be computed from a wrong state: it ends with
// it. What came before does not.
TEST_CASE("a lost request ends its sequence and no other") {
  CoreHarness core;
  const auto plan = MakePlan({{.subgraph = core.Add({{1, 2}}, {}, Direct(2))}});
  core.Arrive(1, plan, Turn(7, true));
  core.Arrive(2, plan, Turn(7));
  core.Arrive(3, plan, Turn(7));
  core.Arrive(4, plan, Turn(8, true));
  CHECK(core.Cancel(2) ==
        Lines{"respond r2 cancelled", "respond r3 sequence ended", "retire r3", "retire r2"});
  CHECK(core.Arrive(5, plan, Turn(7)) == Lines{"respond r5 sequence not started", "retire r5"});
  CHECK(core.Done(1) == Lines{"respond r1 ok", "retire r1", "release b1",
                              "b2 = s0.0 lane 0: r4.0x1@1, gear 2, idle"});
}

// A batch that fails ends the sequences of its rows.
TEST_CASE("a failed batch ends its sequences") {
  CoreHarness core;
  const auto plan = MakePlan({{.subgraph = core.Add({{1}}, {}, Direct(1))}});
  core.Arrive(1, plan, Turn(7, true));
  core.Arrive(2, plan, Turn(7));
  CHECK(core.Done(1, false) == Lines{"respond r1 failed", "respond r2 sequence ended", "retire r2",
                                     "retire r1", "release b1"});
  CHECK(core.core().sequence_counts(0).active == 0);
}

// With the device all sequences are gone; the next START begins anew when it is back.
TEST_CASE("a lost device ends all sequences") {
  CoreHarness core;
  const auto plan = MakePlan({{.subgraph = core.Add({{1}}, {}, Direct(1))}});
  core.Arrive(1, plan, Turn(7, true));
  core.Arrive(2, plan, Turn(7));
  core.Arrive(3, plan, Turn(8, true));
  CHECK(core.DeviceLost() == Lines{"respond r1 device lost", "respond r2 device lost", "retire r2",
                                   "respond r3 device lost", "retire r3"});
  core.Done(1, false);
  core.DeviceBack();
  CHECK(core.Arrive(4, plan, Turn(7)) == Lines{"respond r4 sequence not started", "retire r4"});
  CHECK(core.Arrive(5, plan, Turn(7, true)) == Lines{"b2 = s0.0 lane 0: r5.0x1@0, gear 1, full"});
}

// With minimum_slot_utilization a batch waits for that share of the slots, or for the delay.
TEST_CASE("direct: a batch waits for enough slots") {
  CoreHarness core;
  const auto plan = MakePlan(
      {{.subgraph = core.Add({{1, 2, 4}},
                             {.policy = {.preferred_rows = {2}, .max_delay = microseconds(500)}},
                             Direct(4))}});
  CHECK(core.Arrive(1, plan, Turn(1, true)) == Lines{"timer 500us"});
  CHECK(core.Arrive(2, plan, Turn(2, true)) ==
        Lines{"b1 = s0.0 lane 0: r1.0x1@0 r2.0x1@1, gear 2, full", "timer off"});
  core.Done(1);
  core.SetTime(microseconds(100));
  core.Arrive(3, plan, Turn(1));
  core.SetTime(microseconds(600));
  CHECK(core.Timer().front() == "b2 = s0.0 lane 0: r3.0x1@0, gear 1, delay");
}

}  // namespace
}  // namespace omserve::scheduler
