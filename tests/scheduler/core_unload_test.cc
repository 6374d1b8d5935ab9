// SPDX-License-Identifier: Apache-2.0
// The core's subgraphs that go: what is refused, what goes on, and when the place is free.
#include <catch2/catch.hpp>
#include <chrono>

#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

using std::chrono::microseconds;

// A subgraph that nobody uses goes at once, and its place takes another of any shape.
TEST_CASE("An idle subgraph is unloaded at once") {
  CoreHarness core;
  const Subgraph* first = core.Add({{1, 2}});
  core.Add({{1}});
  CHECK(core.Unload(first->index) == Lines{"unloaded s0"});
  CHECK(core.core().queued_rows(0) == 0);
  CHECK(core.core().output_sets(0) == 0);
  CHECK(core.core().FreeAt(0) == Instant::max());

  const auto plan = MakePlan({{.subgraph = core.Replace(0, {{4}, {1}}, {.lanes = 3})}});
  CHECK(core.core().output_sets(0) == 12);
  CHECK(core.Arrive(1, plan, {.rows = 3}) == Lines{"b1 = s0.0 lane 0: r1.0x3, gear 4, idle"});
}

// What was accepted runs to its end, also rows that wait; what comes later is refused. The place is
// free with the end of the last.
TEST_CASE("Requests in flight keep a subgraph") {
  CoreHarness core({.batches_per_lane = 1});
  const Subgraph* subgraph = core.Add({{1}});
  const auto plan = MakePlan({{.subgraph = subgraph}});
  core.Arrive(1, plan);
  core.Arrive(2, plan);
  CHECK(core.Unload(0).empty());
  CHECK(core.Arrive(3, plan) == Lines{"respond r3 refused UNLOADING", "retire r3"});
  CHECK(core.Done(1) == Lines{"respond r1 ok", "retire r1", "release b1",
                              "b2 = s0.0 lane 0: r2.0x1, gear 1, full"});
  CHECK(core.Done(2) == Lines{"respond r2 ok", "retire r2", "release b2", "unloaded s0"});
}

// A pipeline is refused for one of its steps, which a request of it keeps until its last step has
// read what it made; the other step serves on.
TEST_CASE("A pipeline keeps the subgraphs of its steps") {
  CoreHarness core;
  const Subgraph* first = core.Add({{1}});
  const Subgraph* second = core.Add({{1}});
  const auto plan = MakePlan({{.subgraph = first}, {.subgraph = second, .producers = {0}}});
  core.Arrive(1, plan);
  CHECK(core.Unload(0).empty());
  CHECK(core.Done(1).empty());  // The second step reads it.
  CHECK(core.Arrive(2, plan) == Lines{"respond r2 refused UNLOADING", "retire r2"});
  CHECK(core.Done(2) ==
        Lines{"release b1", "respond r1 ok", "retire r1", "release b2", "unloaded s0"});
  CHECK(core.Arrive(3, MakePlan({{.subgraph = second}})) ==
        Lines{"b3 = s1.0 lane 0: r3.0x1, gear 1, full"});
}

// A request that was cancelled while its batch runs keeps the subgraph until the batch is over.
TEST_CASE("A batch keeps its subgraph when its request is gone") {
  CoreHarness core;
  const auto plan = MakePlan({{.subgraph = core.Add({{1}})}});
  core.Arrive(1, plan);
  core.Unload(0);
  CHECK(core.Cancel(1) == Lines{"respond r1 cancelled"});
  CHECK(core.Done(1) == Lines{"retire r1", "release b1", "unloaded s0"});
}

// A lane that is being mended, and a lost device, come back before the place is given away.
TEST_CASE("What is being mended keeps a subgraph") {
  CoreHarness core;
  const auto plan = MakePlan({{.subgraph = core.Add({{1}}, {.lanes = 2})}});
  core.LaneStuck(0, 1);
  CHECK(core.Unload(0).empty());
  CHECK(core.LaneUp(0, 1) == Lines{"unloaded s0"});

  core.Replace(0, {{1}});
  core.DeviceLost();
  CHECK(core.Unload(0).empty());
  CHECK(core.DeviceBack() == Lines{"unloaded s0"});
}

// An open sequence without a request does not keep its subgraph, and its timer goes with it.
TEST_CASE("Sequences end with their subgraph") {
  CoreHarness core;
  const Subgraph* subgraph =
      core.Add({{1}}, {}, SequenceSpec{.slots_per_lane = 1, .max_idle = microseconds(1000)});
  const auto plan = MakePlan({{.subgraph = subgraph}});
  core.Arrive(1, plan, {.sequence = {.id = {.number = 7}, .start = true}});
  core.Done(1);
  CHECK(core.core().sequence_counts(0).active == 1);
  CHECK(core.Unload(0) == Lines{"unloaded s0", "timer off"});
  CHECK(core.core().sequence_counts(0).active == 0);
}

// A turn that is granted to a lane which has gone is nobody's.
TEST_CASE("A late turn of a subgraph that has gone is ignored") {
  CoreHarness core;
  const auto plan = MakePlan({{.subgraph = core.Add({{1}}, {.lanes = 2, .lane_limits = {1, 1}})}});
  CHECK(core.Arrive(1, plan) == Lines{"ask s0 lane 0: t1"});
  core.Unload(0);
  CHECK(core.Cancel(1) ==
        Lines{"respond r1 cancelled", "retire r1", "return s0 lane 0 unused", "unloaded s0"});
  CHECK(core.Granted(0, 0, 1).empty());
  core.Replace(0, {{1}}, {.lane_limits = {1}});
  CHECK(core.Granted(0, 0, 1).empty());
  CHECK(core.Granted(0, 1, 1).empty());
}

// Output sets that are taken away while batches have them go with these, and come again.
TEST_CASE("A subgraph has fewer output sets from the end of their batches on") {
  Subgraph subgraph = MakeSubgraph(0, {{1}});
  Core core({.batches_per_lane = 2});
  core.AddSubgraph(subgraph, {.output_sets = 2});
  const auto plan = MakePlan({{.subgraph = &subgraph}});
  std::vector<Command> commands;
  const auto arrive = [&](RequestId id) {
    commands.clear();
    core.Handle(Arrive{.request = id, .plan = plan, .buckets = {0}}, Instant(), &commands);
    const auto* launch = commands.empty() ? nullptr : std::get_if<Launch>(&commands.front());
    return launch == nullptr ? -2 : launch->output_set;
  };
  CHECK(arrive(1) == 0);
  CHECK(arrive(2) == 1);
  core.SetOutputSets(0, 1);
  CHECK(core.output_sets_used(0) == 2);
  core.SetOutputSets(0, 3);  // The second set is still its batch's.
  core.SetOutputSets(0, 1);
  core.Handle(BatchDone{.batch = 2}, Instant(), &commands);
  CHECK(core.output_sets_used(0) == 1);
  core.Handle(BatchDone{.batch = 1}, Instant(), &commands);
  CHECK(arrive(3) == 0);
  CHECK(arrive(4) == -2);  // One set is all it has.
}

}  // namespace
}  // namespace omserve::scheduler
