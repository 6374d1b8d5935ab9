// SPDX-License-Identifier: Apache-2.0
// Memory for outputs: rows wait for it, and never in a circle.
#include <catch2/catch.hpp>

#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

// A step whose one output set waits for the next step: the next batch waits in its queue, and
// leaves when the set comes back.
TEST_CASE("Rows wait while every output set is held") {
  CoreHarness harness({.batches_per_lane = 1});
  const Subgraph* first = harness.Add({{1}}, {.output_sets = 1});
  const Subgraph* second = harness.Add({{1}});
  const auto plan = MakePlan({{first}, {second, {0}}});
  CHECK(harness.Arrive(1, plan) ==
        Lines{"b1 = s0.0 lane 0: r1.0x1, gear 1, full", "b2 = s1.0 lane 0: r1.1x1, gear 1, full"});
  CHECK(harness.Arrive(2, plan).empty());
  CHECK(harness.core().output_sets_used(0) == 1);
  // The second step still reads the set.
  CHECK(harness.Done(1).empty());
  CHECK(harness.Done(2) == Lines{"release b1", "respond r1 ok", "retire r1", "release b2",
                                 "b3 = s0.0 lane 0: r2.0x1, gear 1, full",
                                 "b4 = s1.0 lane 0: r2.1x1, gear 1, full"});
  CHECK(harness.core().arena_launches() == 0);
}

// Two branches and their join. Each branch's only set is held by a request whose other branch waits
// for a set: without the arena nobody would go on.
TEST_CASE("Steps that wait for each other's memory go on") {
  CoreHarness harness({.batches_per_lane = 1});
  const Subgraph* left = harness.Add({{1}}, {.output_sets = 1});
  const Subgraph* right = harness.Add({{1}}, {.output_sets = 1});
  const Subgraph* join = harness.Add({{1}});
  // The order of the branches differs, so that each request takes another set first.
  const auto left_first = MakePlan({{left}, {right, {0}}, {join, {0, 1}}});
  const auto right_first = MakePlan({{right}, {left, {0}}, {join, {0, 1}}});
  CHECK(harness.Arrive(1, left_first).size() >= 1);
  harness.Arrive(2, right_first);
  harness.Arrive(3, left_first);
  // Whatever is launched is done, until nothing is left.
  std::vector<BatchId> running = {1, 2, 3};
  BatchId next = 0;
  size_t answers = 0;
  while (harness.core().batch_count() > 0 && ++next < 100) {
    for (const std::string& line : harness.Done(next)) {
      answers += line.find("respond") == 0 && line.find(" ok") != std::string::npos ? 1 : 0;
    }
  }
  CHECK(answers == 3);
  CHECK(harness.core().idle());
  CHECK(harness.core().output_sets_used(0) + harness.core().output_sets_used(1) == 0);
}

// Two models with one output set each, and requests 1 and 2 that go through both in opposite order:
// with batch 3 over, each holds the set that the other waits for. Request 9 has kept the second
// model busy until both were there.
class Crossing final {
 public:
  explicit Crossing(Instant deadline_of_2 = Instant::max()) {
    CostTable costs(1);
    costs.Record(0, std::chrono::milliseconds(10), At(std::chrono::microseconds(0)));
    const Subgraph* first = harness.Add({{1}}, {.costs = costs, .output_sets = 1});
    const Subgraph* second = harness.Add({{1}}, {.costs = costs, .output_sets = 1});
    forth = MakePlan({{first}, {second, {0}}});
    harness.Arrive(9, MakePlan({{second}}));
    harness.Arrive(1, forth);
    harness.Arrive(2, MakePlan({{second}, {first, {0}}}), {.deadline = deadline_of_2});
    harness.Done(1);
    harness.Done(2);
  }

  CoreHarness harness{{.batches_per_lane = 1}};
  std::shared_ptr<const Plan> forth;
};

// The arena is one request's until it ends; then the other has its set.
TEST_CASE("One request goes on where two wait for each other") {
  Crossing crossing;
  CoreHarness& harness = crossing.harness;
  CHECK(harness.Done(3) == Lines{"b4 = s0.0 lane 0: r2.1x1, gear 1, memory"});
  CHECK(harness.Arrive(3, crossing.forth).empty());
  CHECK(harness.Done(4) == Lines{"release b3", "respond r2 ok", "retire r2", "release b4",
                                 "b5 = s1.0 lane 0: r1.1x1, gear 1, full"});
  CHECK(harness.core().arena_launches() == 1);
}

// A set that comes back otherwise does as well: the owner's batch runs on, and nothing is left.
TEST_CASE("A cancelled request leaves the arena") {
  Crossing crossing;
  CoreHarness& harness = crossing.harness;
  harness.Done(3);
  CHECK(harness.Cancel(2) == Lines{"respond r2 cancelled"});
  CHECK(harness.Cancel(1) == Lines{"release b2", "respond r1 cancelled", "retire r1"});
  CHECK(harness.Done(4) == Lines{"release b3", "retire r2", "release b4"});
  CHECK(harness.core().output_sets_used(0) + harness.core().output_sets_used(1) == 0);
}

// 10 ms before its deadline is time enough for a step of 10 ms, 9 ms is not: the request is dropped
// before it costs anything, and the other has its set.
TEST_CASE("A request that would be late does not go to the arena") {
  const Instant deadline = At(std::chrono::milliseconds(100));
  for (const int at_ms : {90, 91}) {
    CAPTURE(at_ms);
    Crossing crossing(deadline);
    CoreHarness& harness = crossing.harness;
    harness.SetTime(std::chrono::milliseconds(at_ms));
    const Lines lines = harness.Done(3);
    CHECK(lines == (at_ms == 90 ? Lines{"b4 = s0.0 lane 0: r2.1x1, gear 1, memory"}
                                : Lines{"release b3", "respond r2 dropped", "retire r2",
                                        "b4 = s1.0 lane 0: r1.1x1, gear 1, full", "timer off"}));
  }
}

}  // namespace
}  // namespace omserve::scheduler
