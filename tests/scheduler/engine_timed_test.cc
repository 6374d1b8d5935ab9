// SPDX-License-Identifier: Apache-2.0
// The engine on the CPU device's timed engine: whatever was batched, padded and cut, each row has
// the answer that follows from its own bytes.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <random>

#include "runtime/acl/acl_abi.h"
#include "runtime/hostacl/timed_function.h"
#include "scheduler/engine.h"
#include "tests/scheduler/scale_add.h"

namespace omserve::scheduler {
namespace {

// What the model "scale_add" answers for one row: its outputs, scaled and summed.
std::vector<float> RowAnswer(const std::vector<float>& x, const std::vector<float>& y,
                             size_t output) {
  const std::span<const std::byte> inputs[] = {std::as_bytes(std::span(x)),
                                               std::as_bytes(std::span(y))};
  std::vector<float> answer(x.size());
  hostacl::FillTimedRow(hostacl::TimedSeed("scale_add", inputs), output, ACL_FLOAT,
                        std::as_writable_bytes(std::span(answer)));
  return answer;
}

// A request's rows and its answer.
struct Asked {
  std::vector<std::vector<float>> x;
  std::vector<std::vector<float>> y;
  std::shared_ptr<Answer> answer;
};

std::vector<float> Joined(const std::vector<std::vector<float>>& rows) {
  std::vector<float> all;
  for (const std::vector<float>& row : rows) {
    all.insert(all.end(), row.begin(), row.end());
  }
  return all;
}

// One to five random rows of `width`.
Asked Ask(EngineHarness& harness, const std::shared_ptr<const Plan>& plan, std::mt19937& random,
          int64_t width) {
  std::uniform_real_distribution<float> number(-1, 1);
  Asked asked;
  const int rows = 1 + static_cast<int>(random() % 5);
  for (auto* const side : {&asked.x, &asked.y}) {
    for (int row = 0; row < rows; ++row) {
      std::vector<float> values(static_cast<size_t>(width));
      std::generate(values.begin(), values.end(), [&] { return number(random); });
      side->push_back(std::move(values));
    }
  }
  asked.answer = harness.Submit(
      {.plan = plan,
       .inputs = {Floats({rows, width}, Joined(asked.x)), Floats({rows, width}, Joined(asked.y))},
       .rows = rows,
       .priority = 1 + random() % 3});
  return asked;
}

constexpr char kTimed[] =
    R"("engine": "timed", "cores": 2, "timed": {"default_cost_us": 300, "jitter": 0.5})";

// Random requests to a model of four gears with three instances: both outputs of every row.
TEST_CASE("Timed answers belong to their rows") {
  for (uint32_t seed = 1; seed <= 3; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    EngineHarness harness({.device_settings = kTimed});
    const auto plan = BuildSingle(*harness.AddModel(
        "m", ScaleAdd({1, 2, 4, 8}),
        {.instances = 3, .policy = {.max_delay = std::chrono::microseconds(200)}}));
    std::vector<Asked> all;
    for (int i = 0; i < 150; ++i) {
      all.push_back(Ask(harness, plan, random, kWidth));
    }
    for (const Asked& asked : all) {
      const InferResponse& response = asked.answer->Get();
      REQUIRE_OK(response.status);
      REQUIRE(response.outputs.size() == 2);
      for (size_t output = 0; output < 2; ++output) {
        std::vector<std::vector<float>> expected;
        for (size_t row = 0; row < asked.x.size(); ++row) {
          expected.push_back(RowAnswer(asked.x[row], asked.y[row], output));
        }
        REQUIRE(ToFloats(response.outputs[output]) == Joined(expected));
      }
    }
    // The gears were used: there were fewer batches than requests.
    CHECK(harness.recorder().batches().size() < all.size());
  }
}

// Two models in a row, whose batches are cut anew between them: the second answers for what the
// first made of the row.
TEST_CASE("Timed answers find their way through a pipeline") {
  std::mt19937 random(7);
  EngineHarness harness({.device_settings = kTimed});
  const auto plan = TwoSteps(harness.AddModel("a", ScaleAdd({1, 2, 4, 8}), {.instances = 2}),
                             harness.AddModel("b", ScaleAdd({1, 5}), {.instances = 2}));
  std::vector<Asked> all;
  for (int i = 0; i < 150; ++i) {
    all.push_back(Ask(harness, plan, random, kWidth));
  }
  for (const Asked& asked : all) {
    const InferResponse& response = asked.answer->Get();
    REQUIRE_OK(response.status);
    std::vector<std::vector<float>> expected;
    for (size_t row = 0; row < asked.x.size(); ++row) {
      expected.push_back(RowAnswer(RowAnswer(asked.x[row], asked.y[row], 1), asked.y[row], 1));
    }
    REQUIRE(ToFloats(response.outputs.at(0)) == Joined(expected));
  }
}

// Rows of two lengths to one model of dims gears.
TEST_CASE("Timed answers are right at every length") {
  std::mt19937 random(11);
  EngineHarness harness({.device_settings = kTimed});
  const auto plan = BuildSingle(*harness.AddModel(
      "m", testing::ScaleAddModel({-1, -1}, om::GearKind::kDims,
                                  {{1, 16}, {8, 16}, {1, 32}, {2, 32}, {8, 32}})));
  std::vector<Asked> all;
  for (int i = 0; i < 100; ++i) {
    const int64_t width = i % 2 == 0 ? 32 : 16;
    Asked asked = Ask(harness, plan, random, width);
    all.push_back(std::move(asked));
  }
  for (const Asked& asked : all) {
    const InferResponse& response = asked.answer->Get();
    REQUIRE_OK(response.status);
    std::vector<std::vector<float>> expected;
    for (size_t row = 0; row < asked.x.size(); ++row) {
      expected.push_back(RowAnswer(asked.x[row], asked.y[row], 0));
    }
    REQUIRE(ToFloats(response.outputs.at(0)) == Joined(expected));
  }
}

// Executions of a known cost: each request's stages sum to its time within 1 %, computing takes the
// cost or what the machine adds to it, and of four requests to one lane the later ones wait.
TEST_CASE("Stages of timed executions sum to the requests' times") {
  constexpr std::chrono::milliseconds kCost{5};
  EngineHarness harness({.device_settings = R"("engine": "timed", "cores": 4,
      "timed": {"default_cost_us": 5000})"});
  const Subgraph* a = harness.AddModel("a", ScaleAdd({1}));
  const Subgraph* b = harness.AddModel("b", ScaleAdd({1}));
  const auto single = BuildSingle(*a);
  const auto pipeline = TwoSteps(a, b);
  for (const auto& plan : {single, pipeline}) {
    std::vector<std::shared_ptr<Answer>> answers;
    for (int i = 0; i < 4; ++i) {
      answers.push_back(harness.Submit({.plan = plan, .inputs = {Ramp(1, 0), Ramp(1, 1)}}));
    }
    Clock::duration longest_queue{0};
    for (const auto& answer : answers) {
      const InferResponse& response = answer->Get();
      REQUIRE_OK(response.status);
      const StageTimes& times = response.stages;
      const auto steps = static_cast<int64_t>(plan->nodes.size());
      CHECK(times.total >= steps * kCost);
      CHECK(times[Stage::kCompute] >= steps * kCost - std::chrono::microseconds(steps));
      CHECK(std::chrono::abs(times.sum() - times.total) <= times.total / 100);
      longest_queue = std::max(longest_queue, times[Stage::kQueue]);
    }
    CHECK(longest_queue >= 2 * kCost);
  }
  for (const RequestRecord& record : harness.recorder().requests()) {
    CHECK(record.stages.total > Clock::duration::zero());
  }
}

// Two models on one core: side by side each makes about half of its progress, and that is told.
TEST_CASE("The speeds of models beside each other are measured") {
  Engine::Options options{.device_pool_bytes = size_t{32} << 20};
  // A measurement holds for so short a time that one which the machine held up is followed by more.
  options.core.pairs = {.runs = 4, .valid = std::chrono::milliseconds(200)};
  EngineHarness harness({.device_settings = R"("engine": "timed", "cores": 1,
                             "timed": {"default_cost_us": 3000, "jitter": 0})",
                         .engine = options});
  const auto a = BuildSingle(*harness.AddModel("a", ScaleAdd({1})));
  const auto b = BuildSingle(*harness.AddModel("b", ScaleAdd({1})));
  const auto send = [&harness](const std::shared_ptr<const Plan>& plan) {
    return harness.Submit({.plan = plan, .inputs = {Ramp(1, 0), Ramp(1, 1)}});
  };
  for (int i = 0; i < 4; ++i) {  // What each takes alone.
    REQUIRE_OK(send(a)->Get().status);
    REQUIRE_OK(send(b)->Get().status);
  }
  // One that is busy with something else may have been slow over what they took alone.
  const auto is_told = [&harness] {
    const std::vector<PairRecord> pairs = harness.recorder().pairs();
    return !pairs.empty() && std::max(pairs.back().speed_a, pairs.back().speed_b) < 0.95 &&
           std::min(pairs.back().speed_a, pairs.back().speed_b) > 0.2;
  };
  const Clock::time_point end = SteadyClock().Now() + std::chrono::seconds(30);
  while (!is_told() && SteadyClock().Now() < end) {
    std::vector<std::shared_ptr<Answer>> answers;
    for (int i = 0; i < 10; ++i) {
      answers.push_back(send(a));
      answers.push_back(send(b));
    }
    for (const auto& answer : answers) {
      REQUIRE_OK(answer->Get().status);
    }
  }
  const std::vector<PairRecord> pairs = harness.recorder().pairs();
  REQUIRE_FALSE(pairs.empty());
  CHECK(pairs.back().a->name == "a");
  CHECK(pairs.back().b->name == "b");
  for (const double speed : {pairs.back().speed_a, pairs.back().speed_b}) {
    CHECK(speed > 0.2);
    CHECK(speed < 0.95);
  }
}

}  // namespace
}  // namespace omserve::scheduler
