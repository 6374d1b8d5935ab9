// SPDX-License-Identifier: Apache-2.0
// Branches that meet: the lighter one waits for company until the heavier one is launched.
#include <catch2/catch.hpp>
#include <chrono>

#include "scheduler/core.h"
#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

using std::chrono::milliseconds;

// Every gear takes `cost`.
Core::SubgraphOptions Taking(milliseconds cost) {
  CostTable costs(2);
  costs.Record(0, cost, At(milliseconds(0)));
  costs.Record(1, cost, At(milliseconds(0)));
  return {.costs = costs};
}

// A vision step (s0) and a text step (s1), which meet in a third (s2).
struct Branches {
  explicit Branches(const Core::SubgraphOptions& vision_options = Taking(milliseconds(20)),
                    const Core::SubgraphOptions& text_options = Taking(milliseconds(8)))
      : vision(core.Add({{1, 4}}, vision_options)),
        text(core.Add({{1, 4}}, text_options)),
        plan(MakePlan({{vision}, {text}, {core.Add({{1, 4}}), {0, 1}}})) {}

  CoreHarness core;
  const Subgraph* vision;
  const Subgraph* text;
  std::shared_ptr<const Plan> plan;
};

// Nothing is gained by waiting where the heavier step goes at once.
TEST_CASE("A lone request runs its branches side by side") {
  Branches b;
  CHECK(b.core.Arrive(1, b.plan) == Lines{"b1 = s0.0 lane 0: r1.0x1, gear 1, idle",
                                          "b2 = s1.0 lane 0: r1.1x1, gear 1, idle",
                                          "b3 = s2.0 lane 0: r1.2x1, gear 1, idle"});
}

// Vision is busy, text is not: text of the requests that wait runs when their vision does, in one
// batch and not in three.
TEST_CASE("The lighter branch waits for the heavier one") {
  Branches b;
  b.core.Arrive(1, b.plan);
  b.core.Done(2);
  CHECK(b.core.Arrive(2, b.plan) == Lines{"timer 40000us"});
  CHECK(b.core.Arrive(3, b.plan).empty());
  CHECK(b.core.Arrive(4, b.plan).empty());
  CHECK(b.core.Done(1) == Lines{"b4 = s0.0 lane 0: r2.0x1 r3.0x1 r4.0x1, gear 4, idle",
                                "b5 = s1.0 lane 0: r2.1x1 r3.1x1 r4.1x1, gear 4, idle",
                                "timer off"});
}

// A full batch has nothing to wait for.
TEST_CASE("A full batch of the lighter branch goes at once") {
  Branches b;
  b.core.Arrive(1, b.plan);
  b.core.Done(2);
  CHECK(b.core.Arrive(2, b.plan, {.rows = 3}) == Lines{"timer 40000us"});
  CHECK(b.core.Arrive(3, b.plan) == Lines{"b4 = s0.0 lane 0: r2.0x3 r3.0x1, gear 4, full",
                                          "b5 = s1.0 lane 0: r2.1x3 r3.1x1, gear 4, full",
                                          "timer off"});
}

// Requests of text alone wait for nobody, and take along those that would.
TEST_CASE("A row that waits for no sibling takes the others along") {
  Branches b;
  b.core.Arrive(1, b.plan);
  b.core.Done(2);
  CHECK(b.core.Arrive(2, b.plan) == Lines{"timer 40000us"});
  CHECK(b.core.Arrive(3, MakePlan({{b.text}})) ==
        Lines{"b4 = s1.0 lane 0: r2.1x1 r3.0x1, gear 4, idle", "timer off"});
}

// The heavier branch does not get its turn: the lighter one goes after two batches of its time.
TEST_CASE("A branch does not wait for ever") {
  Branches b;
  b.core.Arrive(1, b.plan);
  b.core.Done(2);
  CHECK(b.core.Arrive(2, b.plan) == Lines{"timer 40000us"});
  b.core.SetTime(milliseconds(39));
  CHECK(b.core.Timer() == Lines{"timer 40000us"});
  b.core.SetTime(milliseconds(40));
  CHECK(b.core.Timer() == Lines{"b4 = s1.0 lane 0: r2.1x1, gear 1, idle"});
}

// Nor past what its deadline leaves.
TEST_CASE("A branch waits no longer than its deadline allows") {
  Branches b;
  b.core.Arrive(1, b.plan);
  b.core.Done(2);
  CHECK(b.core.Arrive(2, b.plan, {.deadline = At(milliseconds(50))}) == Lines{"timer 34000us"});
  b.core.SetTime(milliseconds(33));
  CHECK(b.core.Timer() == Lines{"timer 34000us"});
  b.core.SetTime(milliseconds(34));
  CHECK(b.core.Timer() == Lines{"b4 = s1.0 lane 0: r2.1x1, gear 1, idle", "timer 50000us"});
}

// What is not known to be lighter does not wait: of two that waited for each other none would go.
TEST_CASE("Branches of equal or unknown cost do not wait") {
  const auto [vision_ms, text_ms] = GENERATE(std::pair(20, 20), std::pair(0, 8));
  CAPTURE(vision_ms, text_ms);
  Branches b(vision_ms == 0 ? Core::SubgraphOptions() : Taking(milliseconds(vision_ms)),
             Taking(milliseconds(text_ms)));
  b.core.Arrive(1, b.plan);
  b.core.Done(2);
  CHECK(b.core.Arrive(2, b.plan) == Lines{"b4 = s1.0 lane 0: r2.1x1, gear 1, idle"});
}

// One that is given up leaves nothing behind.
TEST_CASE("A request that waits for a sibling can be cancelled") {
  Branches b;
  b.core.Arrive(1, b.plan);
  b.core.Done(2);
  b.core.Arrive(2, b.plan);
  b.core.Arrive(3, b.plan);
  CHECK(b.core.Cancel(2) == Lines{"respond r2 cancelled", "retire r2"});
  CHECK(b.core.Done(1) == Lines{"b4 = s0.0 lane 0: r3.0x1, gear 1, idle",
                                "b5 = s1.0 lane 0: r3.1x1, gear 1, idle", "timer off"});
}

// While the daemon shuts down nobody waits for company.
TEST_CASE("A drain ends the wait for a sibling") {
  Branches b;
  b.core.Arrive(1, b.plan);
  b.core.Done(2);
  CHECK(b.core.Arrive(2, b.plan) == Lines{"timer 40000us"});
  CHECK(b.core.Drain() == Lines{"b4 = s1.0 lane 0: r2.1x1, gear 1, drain", "timer off"});
}

}  // namespace
}  // namespace omserve::scheduler
