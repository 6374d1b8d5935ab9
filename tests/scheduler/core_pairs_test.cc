// SPDX-License-Identifier: Apache-2.0
// Subgraphs that are better kept apart: who goes first, and that nobody waits without need.
#include <catch2/catch.hpp>
#include <chrono>

#include "scheduler/core.h"
#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

using std::chrono::milliseconds;

Core::SubgraphOptions TakingTen() {
  CostTable costs(2);
  costs.Record(0, milliseconds(10), At(milliseconds(0)));
  costs.Record(1, milliseconds(10), At(milliseconds(0)));
  return {.costs = costs};
}

// Two models that slow each other down threefold, as the first batches of each show.
struct Rivals {
  Rivals() : core({.batches_per_lane = 2, .pairs = {.runs = 1}}) {
    core.Add({{1, 4}}, TakingTen());
    core.Add({{1, 4}}, TakingTen());
    a = MakePlan({{core.subgraph(0)}});
    b = MakePlan({{core.subgraph(1)}});
    core.Arrive(1, a);
    core.Arrive(2, b);
    core.SetTime(milliseconds(30));
    core.Done(1);
    CHECK(core.Done(2).front() == "pair s0 s1 apart");
  }

  CoreHarness core;
  std::shared_ptr<const Plan> a;
  std::shared_ptr<const Plan> b;
};

TEST_CASE("The older rows of two that are kept apart go first") {
  Rivals r;
  CHECK(r.core.Arrive(3, r.a) == Lines{"b3 = s0.0 lane 0: r3.0x1, gear 1, idle"});
  CHECK(r.core.Arrive(4, r.b).empty());  // Its lane is idle, but s0 is at work.
  r.core.SetTime(milliseconds(31));
  CHECK(r.core.Arrive(5, r.a).empty());
  r.core.SetTime(milliseconds(40));
  CHECK(r.core.Done(3) == Lines{"respond r3 ok", "retire r3", "release b3",
                                "b4 = s1.0 lane 0: r4.0x1, gear 1, idle"});
  r.core.SetTime(milliseconds(50));
  CHECK(r.core.Done(4) == Lines{"respond r4 ok", "retire r4", "release b4",
                                "b5 = s0.0 lane 0: r5.0x1, gear 1, idle"});
}

// A full batch would go behind the running one, but not before rows of the other that are older.
TEST_CASE("Full batches do not keep the other one out") {
  Rivals r;
  r.core.Arrive(3, r.a, {.rows = 4});
  CHECK(r.core.Arrive(4, r.a, {.rows = 4}) == Lines{"b4 = s0.0 lane 0: r4.0x4, gear 4, full"});
  r.core.Arrive(5, r.b);
  r.core.SetTime(milliseconds(31));
  CHECK(r.core.Arrive(6, r.a, {.rows = 4}).empty());
  CHECK(r.core.Done(3) == Lines{"respond r3 ok", "retire r3", "release b3"});
  CHECK(r.core.Done(4) == Lines{"respond r4 ok", "retire r4", "release b4",
                                "b5 = s1.0 lane 0: r5.0x1, gear 1, idle"});
}

TEST_CASE("Of two that are kept apart the higher priority goes first") {
  Rivals r;
  r.core.Arrive(3, r.a);
  r.core.Arrive(4, r.b, {.priority = 2});
  r.core.Arrive(5, r.a);
  CHECK(r.core.Done(3) == Lines{"respond r3 ok", "retire r3", "release b3",
                                "b4 = s0.0 lane 0: r5.0x1, gear 1, idle"});
}

// The rows that were before others are gone.
TEST_CASE("A claim ends with its rows") {
  Rivals r;
  r.core.Arrive(3, r.a, {.rows = 4});
  r.core.Arrive(4, r.b);
  r.core.SetTime(milliseconds(31));
  CHECK(r.core.Arrive(5, r.a, {.rows = 4}).empty());  // s1 has older rows.
  r.core.Arrive(6, r.b);
  CHECK(r.core.Cancel(4) ==
        Lines{"respond r4 cancelled", "retire r4", "b4 = s0.0 lane 0: r5.0x4, gear 4, full"});
  CHECK(r.core.Done(3) == Lines{"respond r3 ok", "retire r3", "release b3"});
  CHECK(r.core.Done(4) == Lines{"respond r5 ok", "retire r5", "release b4",
                                "b5 = s1.0 lane 0: r6.0x1, gear 1, idle"});
}

TEST_CASE("Nobody waits for a lane that hangs") {
  Rivals r;
  r.core.Arrive(3, r.a);
  r.core.Arrive(4, r.b);
  CHECK(r.core.LaneStuck(0, 0) == Lines{"abandon s0 lane 0: b0", "respond r3 lane hung",
                                        "b4 = s1.0 lane 0: r4.0x1, gear 1, idle"});
}

// Its producer's batch is in flight: what is kept apart from that is not launched ahead of it.
TEST_CASE("Steps that are kept apart are not launched ahead") {
  Rivals r;
  const auto both = MakePlan({{r.core.subgraph(0)}, {r.core.subgraph(1), {0}}});
  CHECK(r.core.Arrive(3, both) == Lines{"b3 = s0.0 lane 0: r3.0x1, gear 1, idle"});
  CHECK(r.core.Done(3) == Lines{"b4 = s1.0 lane 0: r3.1x1, gear 1, idle"});
}

}  // namespace
}  // namespace omserve::scheduler
