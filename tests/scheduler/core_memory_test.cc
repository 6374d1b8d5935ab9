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
  CHECK(harness.Done(1) == Lines{"b3 = s0.0 lane 0: r2.0x1, gear 1, memory"});
  CHECK(harness.core().arena_launches() == 1);
  CHECK(harness.core().output_sets_used(0) == 1);
  CHECK(harness.Done(2) == Lines{"release b1", "respond r1 ok", "retire r1", "release b2",
                                 "b4 = s1.0 lane 0: r2.1x1, gear 1, full"});
  CHECK(harness.core().output_sets_used(0) == 0);
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

// The arena is one request's until it ends; another that stands still waits for that.
TEST_CASE("The arena is one request's at a time") {
  CoreHarness harness({.batches_per_lane = 1});
  const Subgraph* first = harness.Add({{1}}, {.output_sets = 1});
  const Subgraph* other = harness.Add({{1}}, {.output_sets = 1});
  // Steps of the host that do not end hold the sets.
  const auto plan = MakePlan({{first}, {nullptr}, {first, {0, 1}}});
  const auto other_plan = MakePlan({{other}, {nullptr}, {other, {0, 1}}});
  CHECK(harness.Arrive(1, plan) == Lines{"host r1.1", "b1 = s0.0 lane 0: r1.0x1, gear 1, full"});
  CHECK(harness.Done(1).empty());
  CHECK(harness.Arrive(2, other_plan) ==
        Lines{"host r2.1", "b2 = s1.0 lane 0: r2.0x1, gear 1, full"});
  CHECK(harness.Done(2).empty());
  // Request 3 gets the arena for its first step; request 4 may not have it.
  CHECK(harness.Arrive(3, plan) == Lines{"host r3.1", "b3 = s0.0 lane 0: r3.0x1, gear 1, memory"});
  CHECK(harness.Arrive(4, other_plan) == Lines{"host r4.1"});
  CHECK(harness.Done(3).empty());
  CHECK(harness.HostDone(3, 1) == Lines{"b4 = s0.0 lane 0: r3.2x1, gear 1, memory"});
  CHECK(harness.Done(4) == Lines{"release b3", "respond r3 ok", "retire r3", "release b4",
                                 "b5 = s1.0 lane 0: r4.0x1, gear 1, memory"});
}

// A cancelled owner gives the arena back when nothing runs for it.
TEST_CASE("A cancelled request leaves the arena") {
  CoreHarness harness({.batches_per_lane = 1});
  const Subgraph* first = harness.Add({{1}}, {.output_sets = 1});
  const auto plan = MakePlan({{first}, {nullptr}, {first, {0, 1}}});
  harness.Arrive(1, plan);
  harness.Done(1);
  CHECK(harness.Arrive(2, plan) == Lines{"host r2.1", "b2 = s0.0 lane 0: r2.0x1, gear 1, memory"});
  CHECK(harness.Cancel(2) == Lines{"respond r2 cancelled"});
  CHECK(harness.Arrive(3, plan) == Lines{"host r3.1"});
  CHECK(harness.HostDone(2, 1).empty());
  CHECK(harness.Done(2) ==
        Lines{"retire r2", "release b2", "b3 = s0.0 lane 0: r3.0x1, gear 1, memory"});
}

}  // namespace
}  // namespace omserve::scheduler
