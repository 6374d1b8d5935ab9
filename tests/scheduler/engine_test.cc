// SPDX-License-Identifier: Apache-2.0
// The engine on the CPU device with small models: answers, batches, time and drain.
#include "scheduler/engine.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/thread.h"
#include "tests/scheduler/fake_clock.h"
#include "tests/scheduler/scale_add.h"

namespace omserve::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

// One request to one model: the right numbers, dims and records.
TEST_CASE("A request is answered") {
  EngineHarness harness;
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1, 4})));
  const auto answer = harness.Submit(
      {.plan = plan, .inputs = {Ramp(3, 1), Ramp(3, 100)}, .rows = 3, .trace = true});
  REQUIRE_OK(answer->submitted);
  const InferResponse& response = answer->Get();
  REQUIRE_OK(response.status);
  REQUIRE(response.outputs.size() == 2);
  CHECK(response.outputs[1].output == 1);
  CHECK(response.outputs[1].dims == Dims{3, kWidth});
  CHECK(ToFloats(response.outputs[1]) == Summed(3, 1, 100));
  const std::vector<BatchRecord> batches = harness.recorder().batches();
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].rows == 3);
  CHECK(batches[0].groups == 1);
  CHECK(batches[0].gear_rows == 4);
  CHECK(batches[0].ok);
  CHECK(batches[0].reason == ReleaseReason::kIdle);
  REQUIRE(response.trace.size() == 1);
  CHECK(response.trace[0].step == "m");
  CHECK(response.trace[0].batch_rows == 3);
  CHECK(response.trace[0].end_us >= response.trace[0].start_us);
  const std::vector<RequestRecord> requests = harness.recorder().requests();
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].outcome == Outcome::kOk);
  CHECK(requests[0].plan == plan.get());
}

// Only the outputs that were asked for are given, in the order asked for.
TEST_CASE("Outputs come as wanted") {
  EngineHarness harness;
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1, 2})));
  const auto answer =
      harness.Submit({.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 2)}, .wanted = {1}});
  REQUIRE_OK(answer->Get().status);
  REQUIRE(answer->Get().outputs.size() == 1);
  CHECK(answer->Get().outputs[0].output == 1);
  const auto both =
      harness.Submit({.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 2)}, .wanted = {1, 0}});
  REQUIRE(both->Get().outputs.size() == 2);
  CHECK(both->Get().outputs[1].output == 0);
}

// Eight requests fill the gear of a policy that would wait for an hour: one batch, all answers own.
TEST_CASE("Requests sent together share a batch") {
  EngineHarness harness;
  const auto plan = BuildSingle(
      *harness.AddModel("m", ScaleAdd({1, 2, 4, 8}), {.policy = {.max_delay = hours(1)}}));
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 8; ++i) {
    answers.push_back(
        harness.Submit({.plan = plan, .inputs = {Ramp(1, static_cast<float>(i)), Ramp(1, 1000)}}));
  }
  for (int i = 0; i < 8; ++i) {
    const InferResponse& response = answers[static_cast<size_t>(i)]->Get();
    REQUIRE_OK(response.status);
    CHECK(ToFloats(response.outputs[1]) == Summed(1, static_cast<float>(i), 1000));
  }
  const std::vector<BatchRecord> batches = harness.recorder().batches();
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].groups == 8);
  CHECK(batches[0].rows == 8);
  CHECK(batches[0].reason == ReleaseReason::kFull);
}

// Requests of one to three rows stream through two models with two instances each. Batches are cut
// and joined anew between them; every row must still find its way.
TEST_CASE("Rows find their way through a pipeline") {
  EngineHarness harness({.device_settings = "\"cores\": 2"});
  const auto plan = TwoSteps(harness.AddModel("a", ScaleAdd({1, 2, 4, 8}), {.instances = 2}),
                             harness.AddModel("b", ScaleAdd({1, 4, 5}), {.instances = 2}));
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 120; ++i) {
    const int rows = 1 + i % 3;
    answers.push_back(harness.Submit(
        {.plan = plan,
         .inputs = {Ramp(rows, static_cast<float>(i)), Ramp(rows, static_cast<float>(7 * i))},
         .rows = rows,
         .priority = static_cast<uint64_t>(1 + i % 2)}));
  }
  for (int i = 0; i < 120; ++i) {
    CAPTURE(i);
    const InferResponse& response = answers[static_cast<size_t>(i)]->Get();
    REQUIRE_OK(response.status);
    REQUIRE(response.outputs.size() == 1);
    CHECK(ToFloats(response.outputs[0]) ==
          TwiceSummed(1 + i % 3, static_cast<float>(i), static_cast<float>(7 * i)));
  }
}

// Rows of two lengths alternate: each length has batches of its own and the right dims.
TEST_CASE("Lengths are batched apart") {
  EngineHarness harness;
  const std::string om =
      testing::ScaleAddModel({-1, -1}, om::GearKind::kDims, {{1, 16}, {4, 16}, {1, 32}, {2, 32}});
  const Subgraph* model = harness.AddModel("m", om);
  REQUIRE(model->shape.buckets.size() == 2);
  const auto plan = BuildSingle(*model);
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 40; ++i) {
    const int64_t length = i % 3 == 0 ? 32 : 16;
    const std::vector<float> ones(static_cast<size_t>(length), 1);
    const std::vector<float> marks(static_cast<size_t>(length), static_cast<float>(i));
    answers.push_back(harness.Submit(
        {.plan = plan, .inputs = {Floats({1, length}, ones), Floats({1, length}, marks)}}));
  }
  for (int i = 0; i < 40; ++i) {
    const int64_t length = i % 3 == 0 ? 32 : 16;
    const InferResponse& response = answers[static_cast<size_t>(i)]->Get();
    REQUIRE_OK(response.status);
    CHECK(response.outputs[1].dims == Dims{1, length});
    CHECK(ToFloats(response.outputs[1]) ==
          std::vector<float>(static_cast<size_t>(length), kScale + static_cast<float>(i)));
  }
}

// A tensor between steps may be asked for as well: it is copied to the host on its way.
TEST_CASE("A tensor between steps can be an output") {
  EngineHarness harness;
  const Subgraph* model = harness.AddModel("m", ScaleAdd({1, 2}));
  PipelineSpec spec{.name = "two",
                    .steps = {{.name = "first",
                               .subgraph = model,
                               .input_map = {{"x", "x"}, {"y", "y"}},
                               .output_map = {{"summed", "between"}}},
                              {.name = "second",
                               .subgraph = model,
                               .input_map = {{"x", "between"}, {"y", "y"}},
                               .output_map = {{"summed", "z"}}}}};
  spec.outputs = {{"z", DataType::kFp32, {kWidth}}, {"between", DataType::kFp32, {kWidth}}};
  const auto plan = VALUE(BuildPipeline(spec));
  const auto answer = harness.Submit({.plan = plan, .inputs = {Ramp(2, 3), Ramp(2, 4)}, .rows = 2});
  REQUIRE_OK(answer->Get().status);
  CHECK(ToFloats(answer->Get().outputs[0]) == TwiceSummed(2, 3, 4));
  CHECK(ToFloats(answer->Get().outputs[1]) == Summed(2, 3, 4));
}

// The request waits for company for an hour and is cancelled.
TEST_CASE("A waiting request is cancelled") {
  EngineHarness harness;
  const auto plan =
      BuildSingle(*harness.AddModel("m", ScaleAdd({1, 2}), {.policy = {.max_delay = hours(1)}}));
  const auto answer = harness.Submit({.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 2)}});
  harness.engine().CancelRequest(answer->id);
  CHECK(ErrorOf(*answer, absl::StatusCode::kCancelled) ==
        "model 'm': the client cancelled the request");
  harness.engine().CancelRequest(answer->id);  // Too late: harmless.
  CHECK(harness.recorder().batches().empty());
}

// The clock jumps to a waiting request's deadline: it is answered, and never runs.
TEST_CASE("A waiting request passes its deadline") {
  FakeClock clock;
  EngineHarness harness({.clock = &clock});
  const auto plan =
      BuildSingle(*harness.AddModel("m", ScaleAdd({1, 2}), {.policy = {.max_delay = hours(1)}}));
  const auto answer = harness.Submit({.plan = plan,
                                      .inputs = {Ramp(1, 1), Ramp(1, 2)},
                                      .deadline = clock.Now() + milliseconds(20)});
  clock.Advance(milliseconds(20));
  CHECK_THAT(ErrorOf(*answer, absl::StatusCode::kDeadlineExceeded),
             Catch::StartsWith("model 'm': the request's deadline passed"));
  CHECK(harness.recorder().batches().empty());
}

// Half way to the deadline a request stops waiting for company, since nobody knows what it takes.
TEST_CASE("A deadline ends waiting in time to be met") {
  FakeClock clock;
  EngineHarness harness({.clock = &clock});
  const auto plan =
      BuildSingle(*harness.AddModel("m", ScaleAdd({1, 2}), {.policy = {.max_delay = hours(1)}}));
  const auto other = BuildSingle(*harness.AddModel("other", ScaleAdd({1}), {.batched = true}));
  // The timer rests on the time at which the request was taken up, so time must not move before.
  const auto answer = harness.Submit({.plan = plan,
                                      .inputs = {Ramp(1, 1), Ramp(1, 2)},
                                      .deadline = clock.Now() + milliseconds(20)});
  Standstill(harness, other).End();  // Came behind it and has been answered.
  clock.Advance(milliseconds(10));
  REQUIRE_OK(answer->Get().status);
}

// A drain lets what waits go at once, with its reason, and refuses what comes after.
TEST_CASE("A drain finishes what was accepted and refuses the rest") {
  EngineHarness harness;
  const auto plan =
      BuildSingle(*harness.AddModel("m", ScaleAdd({1, 8}), {.policy = {.max_delay = hours(1)}}));
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 3; ++i) {
    answers.push_back(harness.Submit({.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 2)}}));
  }
  REQUIRE_OK(harness.engine().Drain(Instant::max()));
  for (const auto& answer : answers) {
    REQUIRE(answer->arrived());
    REQUIRE_OK(answer->Get().status);
  }
  const std::vector<BatchRecord> batches = harness.recorder().batches();
  REQUIRE(batches.size() == 1);
  CHECK(batches[0].rows == 3);
  CHECK(batches[0].reason == ReleaseReason::kDrain);
  const auto late = harness.Submit({.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 2)}});
  CHECK(late->submitted.code() == absl::StatusCode::kUnavailable);
  CHECK(MessageOf(late->submitted) == "the server is shutting down");
  CHECK_FALSE(late->arrived());
  REQUIRE_OK(harness.engine().Drain(Instant::max()));  // Idempotent.
}

// A host step that a test holds up.
class GateOp final : public hostops::HostOp {
 public:
  explicit GateOp(std::latch& gate) : gate_(gate) {}
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  size_t MaxOutputBytes(size_t, int rows) const override {
    return static_cast<size_t>(rows) * sizeof(float);
  }
  absl::Status Run(int rows, std::span<const hostops::HostInput>,
                   std::span<hostops::HostOutput> outputs) const override {
    gate_.wait();
    outputs[0].bytes_used = static_cast<size_t>(rows) * sizeof(float);
    return absl::OkStatus();
  }

 private:
  const std::vector<TensorSpec> inputs_ = {{"in", DataType::kFp32, {1}}};
  const std::vector<TensorSpec> outputs_ = {{"out", DataType::kFp32, {1}}};
  std::latch& gate_;
};

// The drain's time is over while a step still runs: its client hears so at once, and the engine
// waits for the step before it says how many were left.
TEST_CASE("A drain that takes too long cancels the rest") {
  std::latch gate(1);
  FakeClock clock;
  EngineHarness harness({.clock = &clock});
  const auto plan = VALUE(BuildPipeline({.name = "slow",
                                         .steps = {{.name = "gate",
                                                    .op = std::make_shared<GateOp>(gate),
                                                    .input_map = {{"in", "in"}},
                                                    .output_map = {{"out", "out"}}}}}));
  const auto answer = harness.Submit({.plan = plan, .inputs = {Floats({1, 1}, {1})}});
  const Instant deadline = clock.Now() + milliseconds(100);
  clock.Advance(milliseconds(100));
  absl::Status drained;
  {
    const std::jthread drainer =
        StartThread("drainer", [&] { drained = harness.engine().Drain(deadline); });
    CHECK(ErrorOf(*answer, absl::StatusCode::kUnavailable) ==
          "the server shut down before the request was finished");
    gate.count_down();
  }
  CHECK(drained.code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(MessageOf(drained) == "1 requests were unfinished when the drain's time was over");
}

// Two rows stand one behind the other in the batches of two different first steps, as if in one:
// they must be gathered, not read in place.
TEST_CASE("Rows of two batches are not taken for one") {
  EngineHarness harness;
  const Subgraph* first = harness.AddModel("first", ScaleAdd({2}), {.batched = true});
  const Subgraph* last =
      harness.AddModel("last", ScaleAdd({2}), {.batched = true, .policy = {.max_delay = hours(1)}});
  const auto alone = BuildSingle(*first);
  const auto plan = TwoSteps(first, last);
  harness.AddPlan(plan);
  // Alone in its batch, padded to two rows, then the second of two in the next one.
  const auto left = harness.Submit({.plan = plan, .inputs = {Ramp(1, 3), Ramp(1, 4)}});
  harness.recorder().AwaitBatches(1);
  Standstill standstill(harness, alone);
  const auto other = harness.Submit({.plan = alone, .inputs = {Ramp(1, 50), Ramp(1, 60)}});
  const auto right =
      harness.Submit({.plan = plan, .inputs = {Ramp(1, 5), Ramp(1, 6)}, .trace = true});
  standstill.End();
  REQUIRE_OK(left->Get().status);
  REQUIRE_OK(right->Get().status);
  CHECK(ToFloats(left->Get().outputs[0]) == TwiceSummed(1, 3, 4));
  CHECK(ToFloats(right->Get().outputs[0]) == TwiceSummed(1, 5, 6));
  CHECK(ToFloats(other->Get().outputs[1]) == Summed(1, 50, 60));
  for (const StepTrace& step : right->Get().trace) {
    CHECK(step.batch_rows == 2);  // Else the test has not met what it is about.
  }
}

}  // namespace
}  // namespace omserve::scheduler
