// SPDX-License-Identifier: Apache-2.0
// The engine's device memory: reserved when models and pipelines are added, used again and again,
// and never lacking in the middle of a request.
#include <catch2/catch.hpp>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "scheduler/arena_plan.h"
#include "scheduler/engine.h"
#include "tests/scheduler/scale_add.h"

namespace omserve::scheduler {
namespace {

// `count` models in a row; each step's y is the request's.
std::shared_ptr<const Plan> Chain(EngineHarness& harness, int count) {
  PipelineSpec spec{.name = "chain"};
  for (int i = 0; i < count; ++i) {
    const std::string from = i == 0 ? "x" : "t" + std::to_string(i);
    spec.steps.push_back(
        {.name = "s" + std::to_string(i),
         .subgraph = harness.AddModel("m" + std::to_string(i), ScaleAdd({1, 2, 4, 8})),
         .input_map = {{"x", from}, {"y", "y"}},
         .output_map = {{"summed", "t" + std::to_string(i + 1)}}});
  }
  return VALUE(BuildPipeline(spec));
}

std::vector<float> ChainAnswer(int count, float x, float y) {
  const TestInput start = Ramp(1, x);
  std::vector<float> values = ToFloats({.bytes = std::as_bytes(std::span(start.bytes))});
  for (int step = 0; step < count; ++step) {
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = kScale * values[i] + (y + static_cast<float>(i));
    }
  }
  return values;
}

// Hundreds of requests through six steps: the pool is as it was when the pipeline was added.
TEST_CASE("Requests take no device memory") {
  EngineHarness harness({.device_settings = "\"cores\": 2"});
  const auto plan = Chain(harness, 6);
  REQUIRE_OK(harness.engine().AddPlan(*plan));
  REQUIRE_OK(harness.Submit({.plan = plan, .inputs = {Ramp(1, 0), Ramp(1, 0)}})->Get().status);
  const Engine::Load before = harness.engine().load();
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 300; ++i) {
    answers.push_back(
        harness.Submit({.plan = plan, .inputs = {Ramp(1, static_cast<float>(i % 7)), Ramp(1, 1)}}));
  }
  for (int i = 0; i < 300; ++i) {
    CAPTURE(i);
    const InferResponse& response = answers[static_cast<size_t>(i)]->Get();
    REQUIRE_OK(response.status);
    REQUIRE(ToFloats(response.outputs[0]) == ChainAnswer(6, static_cast<float>(i % 7), 1));
  }
  const Engine::Load after = harness.engine().load();
  CHECK(after.device_pool_allocations == before.device_pool_allocations);
  CHECK(after.device_pool_used == before.device_pool_used);
  CHECK(after.device_pool_peak == before.device_pool_used);
}

// One batch at a time and lane, a slow last step, two pipelines that cross: sets are always short.
TEST_CASE("Pipelines go on when memory is short") {
  EngineHarness harness(
      {.device_settings = R"("cores": 2, "engine": "timed",
      "timed": {"default_cost_us": 200, "jitter": 0.9})",
       .engine = {.device_pool_bytes = size_t{32} << 20, .core = {.batches_per_lane = 1}}});
  const Subgraph* a = harness.AddModel("a", ScaleAdd({1}));
  const Subgraph* b = harness.AddModel("b", ScaleAdd({1}));
  const Subgraph* join = harness.AddModel("join", ScaleAdd({1}));
  const auto cross = [&](const Subgraph* first, const Subgraph* second) {
    return VALUE(BuildPipeline({.name = "cross",
                                .steps = {{.name = "first",
                                           .subgraph = first,
                                           .input_map = {{"x", "x"}, {"y", "y"}},
                                           .output_map = {{"summed", "one"}}},
                                          {.name = "second",
                                           .subgraph = second,
                                           .input_map = {{"x", "one"}, {"y", "y"}},
                                           .output_map = {{"summed", "two"}}},
                                          {.name = "join",
                                           .subgraph = join,
                                           .input_map = {{"x", "one"}, {"y", "two"}},
                                           .output_map = {{"summed", "z"}}}}}));
  };
  const auto plans = {cross(a, b), cross(b, a)};
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 60; ++i) {
    for (const auto& plan : plans) {
      answers.push_back(harness.Submit({.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 2)}}));
    }
  }
  for (const auto& answer : answers) {
    REQUIRE_OK(answer->Get().status);
  }
}

// A model whose outputs do not fit the pool is refused with the numbers, and leaves nothing behind;
// so is a pipeline.
TEST_CASE("What does not fit is refused when it is added") {
  constexpr size_t kRow = kWidth * sizeof(float);
  // Two sets of two outputs of eight rows, and a little.
  EngineHarness harness({.engine = {.device_pool_bytes = 2 * 2 * (8 * kRow + 64) + 512}});
  const Subgraph* model = harness.AddModel("m", ScaleAdd({1, 8}));
  const auto serves = [&] {
    REQUIRE_OK(harness.Submit({.plan = BuildSingle(*model), .inputs = {Ramp(1, 1), Ramp(1, 2)}})
                   ->Get()
                   .status);
  };
  serves();  // From then on the load tells of the model's memory.
  const Engine::Load before = harness.engine().load();
  const auto plan = TwoSteps(model, model);
  const absl::Status refused = harness.engine().AddPlan(*plan);
  CHECK(refused.code() == absl::StatusCode::kResourceExhausted);
  CHECK_THAT(std::string(MessageOf(refused)),
             Catch::StartsWith("pipeline 'two': step 'first': 2 blocks of ") &&
                 Catch::Contains("are free; enlarge device.memory_pool_bytes"));
  serves();  // The model alone, as before.
  CHECK(harness.engine().load().device_pool_used == before.device_pool_used);
}

// A pipeline that is added again takes nothing.
TEST_CASE("Memory between steps is reserved once") {
  EngineHarness harness;
  const auto plan = Chain(harness, 3);
  REQUIRE_OK(harness.engine().AddPlan(*plan));
  REQUIRE_OK(harness.Submit({.plan = plan, .inputs = {Ramp(1, 0), Ramp(1, 0)}})->Get().status);
  const size_t used = harness.engine().load().device_pool_used;
  REQUIRE_OK(harness.engine().AddPlan(*plan));
  REQUIRE_OK(harness.Submit({.plan = plan, .inputs = {Ramp(1, 0), Ramp(1, 0)}})->Get().status);
  CHECK(harness.engine().load().device_pool_used == used);
  // The steps that are read have two sets for each batch in flight, the last one.
  CHECK(harness.engine().load().output_sets == std::vector<int>{4, 4, 2});
}

}  // namespace
}  // namespace omserve::scheduler
