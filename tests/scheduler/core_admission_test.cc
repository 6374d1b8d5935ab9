// SPDX-License-Identifier: Apache-2.0
// What the core predicts of itself: when lanes are free of the work that was accepted.
#include <catch2/catch.hpp>
#include <chrono>
#include <vector>

#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

using std::chrono::microseconds;

// Runs one batch of the subgraph at its smallest gear, so that its cost is known.
void Learn(CoreHarness& core, const std::shared_ptr<const Plan>& plan, RequestId id, BatchId batch,
           microseconds cost) {
  core.Arrive(id, plan);
  core.Done(batch, true, cost);
}

// A model of gear 1 that takes 1 ms, on one lane with a place for one batch: each request that was
// accepted puts the lane's freedom off by 1 ms, and each that ends brings the truth in.
TEST_CASE("A lane is free when what was accepted is over") {
  CoreHarness core({.batches_per_lane = 1});
  const auto plan = MakePlan({{core.Add({{1}})}});
  core.SetTime(microseconds(1000));
  CHECK(core.core().FreeAt(0) <= At(microseconds(1000)));
  Learn(core, plan, 1, 1, microseconds(1000));
  CHECK(core.core().FreeAt(0) == At(microseconds(1000)));

  core.Arrive(2, plan);
  CHECK(core.core().FreeAt(0) == At(microseconds(2000)));
  core.Arrive(3, plan);
  core.Arrive(4, plan);
  CHECK(core.core().FreeAt(0) == At(microseconds(4000)));

  core.SetTime(microseconds(1500));
  core.Cancel(4);
  CHECK(core.core().FreeAt(0) == At(microseconds(3000)));
  core.Done(2, true, microseconds(500));
  // The cost is now the faster run's; request 3 has begun.
  CHECK(core.core().FreeAt(0) == At(microseconds(2000)));
  core.Done(3);
  CHECK(core.core().FreeAt(0) == At(microseconds(1500)));
}

// Gears that a lower max_batch_size leaves out keep their numbers in the model: those that are left
// are not numbered from 0 on, and what is learned of them stands under their own numbers.
TEST_CASE("Gears may have any numbers in the model") {
  Subgraph subgraph = MakeSubgraph(0, {{1, 2}});
  subgraph.shape.buckets[0].gears = {{1, 7}, {2, 3}};
  Core core({.run_budget = {.ceiling = std::chrono::seconds(1)}});
  core.AddSubgraph(subgraph, {});
  CHECK(core.costs(0).size() == 8);
  const Instant start = At(microseconds(1000));
  std::vector<Command> commands;
  core.Handle(Arrive{.request = 1, .plan = MakePlan({{&subgraph}}), .buckets = {0}}, start,
              &commands);
  core.Handle(BatchDone{.batch = 1, .device_time = microseconds(500)}, start + microseconds(600),
              &commands);
  CHECK(core.costs(0).Expected(7) == microseconds(500));
}

// Two lanes share what waits. Work that waits counts as worked off in full batches.
TEST_CASE("Lanes share the backlog, in full batches") {
  CoreHarness core({.batches_per_lane = 1});
  const auto plan = MakePlan({{core.Add({{1, 4}}, {.lanes = 2})}});
  core.SetTime(microseconds(1000));
  Learn(core, plan, 1, 1, microseconds(1000));
  core.Arrive(2, plan, {.rows = 4});
  core.Done(2, true, microseconds(2000));
  REQUIRE(core.core().FreeAt(0) == At(microseconds(1000)));

  core.Arrive(3, plan);               // 1 ms on lane 0.
  core.Arrive(4, plan, {.rows = 4});  // 2 ms on lane 1.
  CHECK(core.core().FreeAt(0) == At(microseconds(2000)));
  core.Arrive(5, plan, {.rows = 2});  // 0.5 ms of a batch of four, each.
  core.Arrive(6, plan, {.rows = 2});
  // Lane 0 takes the first of these two milliseconds, and both share the second.
  CHECK(core.core().FreeAt(0) == At(microseconds(3500)));
}

// Two lanes with one batch each, of unlike gears: the next batch goes behind the short one.
TEST_CASE("A batch goes to the lane that is free first") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4}}, {.lanes = 2})}});
  core.SetTime(microseconds(1000));
  Learn(core, plan, 1, 1, microseconds(1000));
  core.Arrive(2, plan, {.rows = 4});
  core.Done(2, true, microseconds(8000));
  core.Arrive(3, plan, {.rows = 4});
  core.Arrive(4, plan);
  CHECK(core.Arrive(5, plan, {.rows = 4}).front() == "b5 = s0.0 lane 1: r5.0x4, gear 4, full");
  // By now lane 1 is the later one.
  CHECK(core.Arrive(6, plan, {.rows = 4}).front() == "b6 = s0.0 lane 0: r6.0x4, gear 4, full");
}

// A request of two steps is work for both lanes from the moment it is accepted, and a step that was
// launched ahead ends after the one before it.
TEST_CASE("A pipeline's later steps count at once") {
  CoreHarness core;
  const Subgraph* first = core.Add({{1}});
  const Subgraph* second = core.Add({{1}});
  const auto plan = MakePlan({{first}, {second, {0}}});
  core.SetTime(microseconds(1000));
  core.Arrive(1, plan);
  core.Done(1, true, microseconds(1000));
  core.Done(2, true, microseconds(300));
  REQUIRE(core.core().FreeAt(1) == At(microseconds(1000)));
  core.Arrive(2, plan);
  CHECK(core.core().FreeAt(0) == At(microseconds(2000)));
  CHECK(core.core().FreeAt(1) == At(microseconds(2300)));
}

// While no lane serves, none is free at any time; a mended one is free at once.
TEST_CASE("Nothing is predicted of a lost device") {
  CoreHarness core;
  core.Add({{1}});
  core.DeviceLost();
  CHECK(core.core().FreeAt(0) == Instant::max());
  core.SetTime(microseconds(7));
  core.DeviceBack();
  CHECK(core.core().FreeAt(0) == At(microseconds(7)));
}

// A device that cannot tell how long it computed: what was waited for the batch stands for it.
TEST_CASE("Without timestamps the cost is what was waited for") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}})}});
  core.Arrive(1, plan);
  core.SetTime(microseconds(700));
  core.Done(1);
  CHECK(core.core().costs(0).Expected(0) == microseconds(700));
}

// Many models are loaded; only those that an event touches get a turn, and each is told once.
TEST_CASE("Only what has changed is told as changed") {
  CoreHarness core;
  core.Add({{1}});
  const auto plan = MakePlan({{core.Add({{1}})}});
  core.Add({{1}});
  std::vector<int> changed;
  core.VisitChanged([&changed](int subgraph) { changed.push_back(subgraph); });
  changed.clear();
  core.Arrive(1, plan);
  core.Done(1);
  core.VisitChanged([&changed](int subgraph) { changed.push_back(subgraph); });
  CHECK(changed == std::vector<int>{1});
  changed.clear();
  core.VisitChanged([&changed](int subgraph) { changed.push_back(subgraph); });
  CHECK(changed.empty());
}

}  // namespace
}  // namespace omserve::scheduler
