// SPDX-License-Identifier: Apache-2.0
// The engine on the CPU device when models fail and memory or queues are full.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/engine.h"
#include "tests/scheduler/scale_add.h"

namespace omserve::scheduler {
namespace {

using std::chrono::hours;

// Execution fails on the device: the message names the step, and the next request is served.
TEST_CASE("A failing model fails its request alone") {
  EngineHarness harness;
  const auto plan = BuildSingle(*harness.AddModel("pick", testing::PickModel()));
  REQUIRE_FALSE(plan->batched);
  const auto bad = harness.Submit({.plan = plan, .inputs = {Int64s({1}, {9})}});
  CHECK_THAT(ErrorOf(*bad, absl::StatusCode::kInternal), Catch::StartsWith("step 'pick': "));
  const auto good = harness.Submit({.plan = plan, .inputs = {Int64s({1}, {2})}});
  REQUIRE_OK(good->Get().status);
  CHECK(ToFloats(good->Get().outputs[0]) == std::vector<float>{12});
  const std::vector<BatchRecord> batches = harness.recorder().batches();
  REQUIRE(batches.size() == 2);
  CHECK_FALSE(batches[0].ok);
  CHECK(batches[1].ok);
}

// Good and bad requests mixed on two lanes: no wrong answer passes for a right one, and no failure
// outlives the batches that were with it.
TEST_CASE("Failures do not stick to a lane") {
  EngineHarness harness({.device_settings = "\"cores\": 2"});
  const auto plan = BuildSingle(*harness.AddModel("pick", testing::PickModel(), {.instances = 2}));
  std::vector<std::shared_ptr<Answer>> answers;
  for (int64_t i = 0; i < 60; ++i) {
    answers.push_back(harness.Submit(
        {.plan = plan, .inputs = {Int64s({1}, {i % 5 == 4 ? int64_t{77} : i % 4})}}));
  }
  for (size_t i = 0; i < answers.size(); ++i) {
    const InferResponse& response = answers[i]->Get();
    if (i % 5 == 4) {
      CHECK(response.status.code() == absl::StatusCode::kInternal);
    } else if (response.status.ok()) {  // Those in flight beside a failure may fail with it.
      CHECK(ToFloats(response.outputs[0]) == std::vector<float>{static_cast<float>(10 + i % 4)});
    }
  }
  const auto last = harness.Submit({.plan = plan, .inputs = {Int64s({1}, {1})}});
  REQUIRE_OK(last->Get().status);
}

// Rows of two requests stand in one batch, launched ahead of their first steps. One first step
// could not be launched at all: that request fails, and the other row stays in its place.
TEST_CASE("A row beside one whose producer failed is right") {
  // The second launch, after that of the standstill: subgraphs have their turns in their order.
  EngineHarness harness(
      {.device_settings =
           R"("faults": [{"call": "aclmdlExecuteAsync", "nth": 2, "code": 507899}])"});
  const Subgraph* faulty = harness.AddModel("faulty", ScaleAdd({64}), {.batched = true});
  const Subgraph* small = harness.AddModel("small", ScaleAdd({1}), {.batched = true});
  const Subgraph* last =
      harness.AddModel("last", ScaleAdd({2}), {.batched = true, .policy = {.max_delay = hours(1)}});
  const auto failing = TwoSteps(faulty, last);
  const auto working = TwoSteps(small, last);
  harness.AddPlan(failing);
  harness.AddPlan(working);
  Standstill standstill(harness, BuildSingle(*small));
  const auto good = harness.Submit(
      {.plan = working, .inputs = {Ramp(1, 3), Ramp(1, 4)}, .priority = 2, .trace = true});
  // The failing row goes first in the batch, by priority.
  const auto bad =
      harness.Submit({.plan = failing, .inputs = {Ramp(1, 1), Ramp(1, 2)}, .priority = 1});
  standstill.End();
  CHECK_THAT(ErrorOf(*bad, absl::StatusCode::kUnavailable), Catch::StartsWith("step 'first': "));
  REQUIRE_OK(good->Get().status);
  CHECK(ToFloats(good->Get().outputs[0]) == TwiceSummed(1, 3, 4));
  // Else the test has not met what it is about. Steps are traced as their ends are noticed, which
  // on two streams may be in either order.
  const std::vector<StepTrace>& trace = good->Get().trace;
  REQUIRE(trace.size() == 2);
  CHECK(std::count_if(trace.begin(), trace.end(),
                      [](const StepTrace& step) { return step.batch_rows == 2; }) == 1);
}

// No pinned memory is left for the answer: said as a passing state, and the next request is served
// when there is room again.
TEST_CASE("A crowded pinned pool refuses and recovers") {
  EngineHarness harness({.pinned_bytes = 1 << 20});
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({4}), {.batched = true}));
  // The request's inputs are taken while there is room, then all else is used up.
  Standstill standstill(harness, plan);
  // Of four rows: what the first request gives back would do for one.
  const auto refused =
      harness.Submit({.plan = plan, .inputs = {Ramp(4, 1), Ramp(4, 2)}, .rows = 4});
  std::vector<memory::HostBlock> hoard;
  for (absl::StatusOr<memory::HostBlock> block = harness.pinned().Allocate(64); block.ok();
       block = harness.pinned().Allocate(64)) {
    hoard.push_back(*std::move(block));
  }
  standstill.End();
  CHECK_THAT(ErrorOf(*refused, absl::StatusCode::kUnavailable), Catch::StartsWith("step 'm': "));
  hoard.clear();
  const auto served = harness.Submit({.plan = plan, .inputs = {Ramp(4, 1), Ramp(4, 2)}, .rows = 4});
  REQUIRE_OK(served->Get().status);
}

// A queue bound of one waiting row, and no more: the client is told to come back.
TEST_CASE("A full queue refuses") {
  EngineHarness harness;
  const auto plan = BuildSingle(*harness.AddModel(
      "m", ScaleAdd({1, 8}), {.policy = {.max_delay = hours(1)}, .max_queue_rows = 1}));
  const auto first = harness.Submit({.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 2)}});
  const auto second = harness.Submit({.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 2)}});
  CHECK(ErrorOf(*second, absl::StatusCode::kUnavailable) ==
        "Exceeds maximum queue size for model 'm'; retry later");
  CHECK_FALSE(first->arrived());
}

}  // namespace
}  // namespace omserve::scheduler
