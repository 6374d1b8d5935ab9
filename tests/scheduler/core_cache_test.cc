// SPDX-License-Identifier: Apache-2.0
// Steps whose outputs may be known from before.
#include <catch2/catch.hpp>

#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

struct Pair {
  explicit Pair(CoreHarness& harness)
      : plan(MakePlan({{.subgraph = harness.Add({{1, 2}}), .producers = {}, .cached = true},
                       {.subgraph = harness.Add({{1, 2}}), .producers = {0}, .cached = false}})) {}
  std::shared_ptr<const Plan> plan;
};

// A hit is as good as a batch: the next step goes at once, and nothing is launched for this one.
TEST_CASE("A known step is not launched") {
  CoreHarness harness;
  const Pair pair(harness);
  CHECK(harness.Arrive(1, pair.plan) == Lines{"look up r1.0"});
  CHECK(harness.LookedUp(1, 0, true) == Lines{"b1 = s1.0 lane 0: r1.1x1, gear 1, idle"});
  CHECK(harness.Done(1) == Lines{"respond r1 ok", "retire r1", "release b1"});
}

// A miss is queued like any step, and the next one is launched ahead.
TEST_CASE("An unknown step is launched") {
  CoreHarness harness;
  const Pair pair(harness);
  harness.Arrive(1, pair.plan);
  CHECK(harness.LookedUp(1, 0, false) ==
        Lines{"b1 = s0.0 lane 0: r1.0x1, gear 1, idle", "b2 = s1.0 lane 0: r1.1x1, gear 1, idle"});
}

// Two cached steps in a row: the second one's inputs are on the host when the first is done. Known,
// it reads the first one's outputs no more.
TEST_CASE("A cached step may read a cached step") {
  CoreHarness harness;
  const auto plan = MakePlan({{.subgraph = harness.Add({{1}}), .producers = {}, .cached = true},
                              {.subgraph = harness.Add({{1}}), .producers = {0}, .cached = true},
                              {.subgraph = harness.Add({{1}}), .producers = {1}, .cached = false}});
  harness.Arrive(1, plan);
  CHECK(harness.LookedUp(1, 0, false) == Lines{"b1 = s0.0 lane 0: r1.0x1, gear 1, full"});
  CHECK(harness.Done(1) == Lines{"look up r1.1"});
  CHECK(harness.LookedUp(1, 1, true) ==
        Lines{"release b1", "b2 = s2.0 lane 0: r1.2x1, gear 1, full"});
  CHECK(harness.Done(2) == Lines{"respond r1 ok", "retire r1", "release b2"});
}

// While a step is looked up, the next is not launched ahead of it, and a cancelled request waits
// for the end of the look-up before its memory goes.
TEST_CASE("A request is kept while a step is looked up") {
  CoreHarness harness;
  const Pair pair(harness);
  harness.Arrive(1, pair.plan);
  CHECK(harness.Cancel(1) == Lines{"respond r1 cancelled"});
  CHECK(harness.core().request_count() == 1);
  CHECK(harness.LookedUp(1, 0, false) == Lines{"retire r1"});
  CHECK(harness.core().idle());
}

}  // namespace
}  // namespace omserve::scheduler
