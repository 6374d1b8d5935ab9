// SPDX-License-Identifier: Apache-2.0
// Requests of several steps: what waits for what, what runs ahead, what is kept how long.
#include <catch2/catch.hpp>
#include <chrono>

#include "scheduler/core.h"
#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

using std::chrono::milliseconds;

// The second step is launched with the first: the device makes it wait. The outputs of the first
// are kept until the second has read them.
TEST_CASE("A following step is launched ahead") {
  CoreHarness core;
  const auto* first = core.Add({{1, 4}});
  const auto* second = core.Add({{1, 4}});
  const auto plan = MakePlan({{first}, {second, {0}}});
  CHECK(core.Arrive(1, plan) ==
        Lines{"b1 = s0.0 lane 0: r1.0x1, gear 1, idle", "b2 = s1.0 lane 0: r1.1x1, gear 1, idle"});
  CHECK(core.Done(1).empty());
  CHECK(core.Done(2) == Lines{"release b1", "respond r1 ok", "retire r1", "release b2"});
}

// A batch's end may be told after that of the batch that read it: copies to the host take their
// time. The request ends with the last of them.
TEST_CASE("Batches may be done in any order across lanes") {
  CoreHarness core;
  const auto* first = core.Add({{1}});
  const auto* second = core.Add({{1}});
  const auto plan = MakePlan({{first}, {second, {0}}});
  core.Arrive(1, plan);
  CHECK(core.Done(2) == Lines{"release b2"});
  CHECK(core.Done(1) == Lines{"respond r1 ok", "retire r1", "release b1"});
}

// Rows of several requests that follow one another through a pipeline stay together.
TEST_CASE("Rows computed together go on together") {
  CoreHarness core;
  const auto* first = core.Add({{1, 4}});
  const auto* second = core.Add({{1, 4}});
  const auto plan = MakePlan({{first}, {second, {0}}});
  core.Arrive(1, plan);
  core.Arrive(2, plan);
  core.Arrive(3, plan);
  CHECK(core.Done(1) == Lines{"b3 = s0.0 lane 0: r2.0x1 r3.0x1, gear 4, idle"});
  // The second lane is busy with b2; when it is idle the two go ahead of their first step.
  CHECK(core.Done(2) == Lines{"release b1", "respond r1 ok", "retire r1", "release b2",
                              "b4 = s1.0 lane 0: r2.1x1 r3.1x1, gear 4, idle"});
}

// Two branches start at once on their own lanes, and the step that joins them is launched ahead.
TEST_CASE("Branches run side by side and join") {
  CoreHarness core;
  const auto* vision = core.Add({{1}});
  const auto* text = core.Add({{1}});
  const auto* fusion = core.Add({{1}});
  const auto plan = MakePlan({{vision}, {text}, {fusion, {0, 1}}});
  CHECK(core.Arrive(1, plan) == Lines{"b1 = s0.0 lane 0: r1.0x1, gear 1, full",
                                      "b2 = s1.0 lane 0: r1.1x1, gear 1, full",
                                      "b3 = s2.0 lane 0: r1.2x1, gear 1, full"});
  CHECK(core.Done(2).empty());
  CHECK(core.Done(1).empty());
  CHECK(core.Done(3) ==
        Lines{"release b1", "release b2", "respond r1 ok", "retire r1", "release b3"});
}

// A join waits for the branch that is not launched yet: one branch's lane is taken.
TEST_CASE("A join waits until every branch is launched") {
  CoreHarness core({.batches_per_lane = 1});
  const auto* vision = core.Add({{1}});
  const auto* text = core.Add({{1}});
  const auto* fusion = core.Add({{1}});
  const auto text_only = MakePlan({{text}});
  const auto plan = MakePlan({{vision}, {text}, {fusion, {0, 1}}});
  core.Arrive(1, text_only);
  CHECK(core.Arrive(2, plan) == Lines{"b2 = s0.0 lane 0: r2.0x1, gear 1, full"});
  CHECK(core.Done(1) == Lines{"respond r1 ok", "retire r1", "release b1",
                              "b3 = s1.0 lane 0: r2.1x1, gear 1, full",
                              "b4 = s2.0 lane 0: r2.2x1, gear 1, full"});
}

// Two steps read one output: it is kept until both have.
TEST_CASE("An output is kept for all its readers") {
  CoreHarness core;
  const auto* source = core.Add({{1}});
  const auto* left = core.Add({{1}});
  const auto* right = core.Add({{1}});
  const auto plan = MakePlan({{source}, {left, {0}}, {right, {0}}});
  CHECK(core.Arrive(1, plan).size() == 3);
  CHECK(core.Done(1).empty());
  CHECK(core.Done(2) == Lines{"release b2"});
  CHECK(core.Done(3) == Lines{"release b1", "respond r1 ok", "retire r1", "release b3"});
}

// Rows with inputs are there when the lane falls idle: those launched ahead stay behind.
TEST_CASE("Ready rows leave before rows launched ahead") {
  CoreHarness core({.batches_per_lane = 1});
  const auto* first = core.Add({{1}});
  const auto* second = core.Add({{1, 4}});
  const auto pipeline = MakePlan({{first}, {second, {0}}});
  const auto second_only = MakePlan({{second}});
  core.Arrive(1, second_only);
  core.Arrive(2, pipeline);  // Its second step waits, launched ahead, behind b1.
  core.Arrive(3, second_only);
  CHECK(core.Done(1) == Lines{"respond r1 ok", "retire r1", "release b1",
                              "b3 = s1.0 lane 0: r3.0x1, gear 1, idle"});
  // Once the inputs exist the row is ready like any other.
  CHECK(core.Done(2).empty());
  core.Arrive(4, second_only);
  CHECK(core.Done(3).back() == "b4 = s1.0 lane 0: r2.1x1 r4.0x1, gear 4, idle");
}

// Waiting is configured for the second step: rows that follow their producer count from the moment
// at which their inputs exist.
TEST_CASE("The delay starts anew when inputs exist") {
  CoreHarness core;
  const auto* first = core.Add({{1, 4}});
  const auto* second = core.Add({{1, 4}}, {.policy = {.max_delay = milliseconds(10)}});
  const auto plan = MakePlan({{first}, {second, {0}}});
  CHECK(core.Arrive(1, plan) == Lines{"b1 = s0.0 lane 0: r1.0x1, gear 1, idle", "timer 10000us"});
  core.SetTime(milliseconds(4));
  CHECK(core.Done(1) == Lines{"timer 14000us"});
  core.SetTime(milliseconds(14));
  CHECK(core.Timer().front() == "b2 = s1.0 lane 0: r1.1x1, gear 1, delay");
}

// A host step starts when its device producers are done, never ahead, and a device step never runs
// ahead of a host step.
TEST_CASE("Host steps wait for results and are waited for") {
  CoreHarness core;
  const auto* model = core.Add({{1}});
  const auto plan = MakePlan({{nullptr}, {model, {0}}, {nullptr, {1}}});
  CHECK(core.Arrive(1, plan) == Lines{"host r1.0"});
  CHECK(core.HostDone(1, 0) == Lines{"b1 = s0.0 lane 0: r1.1x1, gear 1, full"});
  CHECK(core.Done(1) == Lines{"host r1.2", "release b1"});
  CHECK(core.HostDone(1, 2) == Lines{"respond r1 ok", "retire r1"});
}

// A step that reads a host step and a device step waits for the former and runs ahead of the
// latter.
TEST_CASE("A join of host and device steps waits for the host step alone") {
  CoreHarness core;
  const auto* image = core.Add({{1}});
  const auto* join = core.Add({{1}});
  const auto plan = MakePlan({{nullptr}, {image}, {join, {0, 1}}});
  CHECK(core.Arrive(1, plan) == Lines{"host r1.0", "b1 = s0.0 lane 0: r1.1x1, gear 1, full"});
  CHECK(core.HostDone(1, 0) == Lines{"b2 = s1.0 lane 0: r1.2x1, gear 1, full"});
}

// A plan of host steps alone needs no lane.
TEST_CASE("Host steps alone make a plan") {
  CoreHarness core;
  const auto plan = MakePlan({{nullptr}, {nullptr, {0}}});
  CHECK(core.Arrive(1, plan) == Lines{"host r1.0"});
  CHECK(core.HostDone(1, 0) == Lines{"host r1.1"});
  CHECK(core.HostDone(1, 1) == Lines{"respond r1 ok", "retire r1"});
}

// One model serves two steps of a plan, one after the other: the rows of both share its lane.
TEST_CASE("A subgraph may be used twice in a row") {
  CoreHarness core;
  const auto* model = core.Add({{1, 4}});
  const auto plan = MakePlan({{model}, {model, {0}}});
  CHECK(core.Arrive(1, plan) == Lines{"b1 = s0.0 lane 0: r1.0x1, gear 1, idle"});
  core.Arrive(2, plan);
  CHECK(core.Done(1) == Lines{"b2 = s0.0 lane 0: r1.1x1 r2.0x1, gear 4, idle"});
  CHECK(core.Done(2) == Lines{"release b1", "respond r1 ok", "retire r1",
                              "b3 = s0.0 lane 0: r2.1x1, gear 1, idle"});
  CHECK(core.Done(3) == Lines{"release b2", "respond r2 ok", "retire r2", "release b3"});
}

// Two branches over one model stand in one batch, and both their uses are counted.
TEST_CASE("A subgraph may be used twice side by side") {
  CoreHarness core;
  const auto* model = core.Add({{2, 4}}, {.policy = {.max_delay = milliseconds(1)}});
  const auto* join = core.Add({{1}});
  const auto plan = MakePlan({{model}, {model}, {join, {0, 1}}});
  CHECK(core.Arrive(1, plan, {.rows = 1}) == Lines{"timer 1000us"});
  core.SetTime(milliseconds(1));
  CHECK(core.Timer() == Lines{"b1 = s0.0 lane 0: r1.0x1 r1.1x1, gear 2, delay",
                              "b2 = s1.0 lane 0: r1.2x1, gear 1, full"});
  CHECK(core.Done(1).empty());
  CHECK(core.Done(2) == Lines{"release b1", "respond r1 ok", "retire r1", "release b2"});
}

}  // namespace
}  // namespace omserve::scheduler
