// SPDX-License-Identifier: Apache-2.0
// The engine on the CPU device with small models whose answers a test can compute.
#include "scheduler/engine.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/base/thread.h"
#include "tests/runtime/acl/tiny_model.h"
#include "tests/scheduler/engine_harness.h"
#include "tests/scheduler/fake_clock.h"
#include "tests/status_test_util.h"

namespace omserve::scheduler {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::kScale;

constexpr int64_t kWidth = 16;

// scaled = kScale * x and summed = scaled + y, rows of kWidth numbers, for these batch sizes.
std::string ScaleAdd(const std::vector<int64_t>& batches) {
  std::vector<std::vector<int64_t>> gears;
  for (const int64_t batch : batches) {
    gears.push_back({batch});
  }
  return testing::ScaleAddModel({-1, kWidth}, om::GearKind::kBatch, gears);
}

// `rows` rows that are different for every `start`.
TestInput Ramp(int rows, float start) {
  std::vector<float> values;
  for (int64_t i = 0; i < rows * kWidth; ++i) {
    values.push_back(start + static_cast<float>(i));
  }
  return Floats({rows, kWidth}, values);
}

// What ScaleAdd makes of Ramp(rows, x) and Ramp(rows, y), element by element.
std::vector<float> Summed(int rows, float x, float y) {
  std::vector<float> values;
  for (int64_t i = 0; i < rows * kWidth; ++i) {
    values.push_back(kScale * (x + static_cast<float>(i)) + (y + static_cast<float>(i)));
  }
  return values;
}

// Two models in a row: z = kScale * summed(x, y) + y.
std::shared_ptr<const Plan> TwoSteps(const Subgraph* first, const Subgraph* second) {
  return VALUE(BuildPipeline({.name = "two",
                              .steps = {{.name = "first",
                                         .subgraph = first,
                                         .input_map = {{"x", "x"}, {"y", "y"}},
                                         .output_map = {{"summed", "between"}}},
                                        {.name = "second",
                                         .subgraph = second,
                                         .input_map = {{"x", "between"}, {"y", "y"}},
                                         .output_map = {{"summed", "z"}}}}}));
}

std::vector<float> TwiceSummed(int rows, float x, float y) {
  std::vector<float> values = Summed(rows, x, y);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = kScale * values[i] + (y + static_cast<float>(i));
  }
  return values;
}

// Keeps the device thread still, in the callback of a request of its own, so that what is submitted
// meanwhile is taken up in one turn.
class Standstill final {
 public:
  // `plan` is that of a ScaleAdd model alone and gets one batch of one row.
  Standstill(EngineHarness& harness, const std::shared_ptr<const Plan>& plan)
      : answer_(harness.Submit(
            {.plan = plan, .inputs = {Ramp(1, 0), Ramp(1, 0)}, .before_answer = [this] {
               still_.count_down();
               end_.wait();
             }})) {
    still_.wait();
  }
  void End() {
    end_.count_down();
    REQUIRE_OK(answer_->Get().status);
  }

 private:
  std::latch still_{1};
  std::latch end_{1};
  std::shared_ptr<Answer> answer_;
};

std::string ErrorOf(const Answer& answer, absl::StatusCode code) {
  const InferResponse& response = answer.Get();
  CHECK(response.status.code() == code);
  CHECK(response.outputs.empty());
  return std::string(MessageOf(response.status));
}

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

// The batch's outputs are larger than the whole device pool: said with the numbers, nothing lost,
// and smaller work goes on.
TEST_CASE("A batch that does not fit the device pool fails") {
  EngineHarness harness({.engine = {.device_pool_bytes = 4096}});
  const auto large = BuildSingle(*harness.AddModel("large", ScaleAdd({64}), {.batched = true}));
  const auto small = BuildSingle(*harness.AddModel("small", ScaleAdd({1}), {.batched = true}));
  const auto refused = harness.Submit({.plan = large, .inputs = {Ramp(1, 1), Ramp(1, 2)}});
  const std::string error = ErrorOf(*refused, absl::StatusCode::kResourceExhausted);
  CHECK_THAT(error, Catch::StartsWith("step 'large': "));
  CHECK_THAT(error, Catch::Contains("4096"));
  const auto served = harness.Submit({.plan = small, .inputs = {Ramp(1, 1), Ramp(1, 2)}});
  REQUIRE_OK(served->Get().status);
  CHECK(ToFloats(served->Get().outputs[1]) == Summed(1, 1, 2));
}

// More work than the device pool holds at once: every request is answered, well or with the reason.
TEST_CASE("A crowded device pool loses no request") {
  EngineHarness harness({.device_settings = "\"cores\": 2", .engine = {.device_pool_bytes = 1024}});
  const auto plan = TwoSteps(harness.AddModel("a", ScaleAdd({1, 2}), {.instances = 2}),
                             harness.AddModel("b", ScaleAdd({1, 2}), {.instances = 2}));
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 60; ++i) {
    answers.push_back(
        harness.Submit({.plan = plan, .inputs = {Ramp(1, static_cast<float>(i)), Ramp(1, 5)}}));
  }
  size_t served = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    const InferResponse& response = answers[i]->Get();
    if (response.status.ok()) {
      ++served;
      CHECK(ToFloats(response.outputs[0]) == TwiceSummed(1, static_cast<float>(i), 5));
    } else {
      CHECK(response.status.code() == absl::StatusCode::kResourceExhausted);
    }
  }
  CHECK(served > 0);
}

// Rows of two requests stand in one batch, launched ahead of their first steps. One first step
// could not be launched at all: that request fails, and the other row stays in its place.
TEST_CASE("A row beside one whose producer failed is right") {
  // Room for one output of "huge" and a little more. Were that one kept after the failure, "last"
  // would not find room for both of its own.
  EngineHarness harness({.engine = {.device_pool_bytes = 4096 + 512}});
  const Subgraph* huge = harness.AddModel("huge", ScaleAdd({64}), {.batched = true});
  const Subgraph* small = harness.AddModel("small", ScaleAdd({1}), {.batched = true});
  const Subgraph* last =
      harness.AddModel("last", ScaleAdd({2}), {.batched = true, .policy = {.max_delay = hours(1)}});
  const auto failing = TwoSteps(huge, last);
  const auto working = TwoSteps(small, last);
  Standstill standstill(harness, BuildSingle(*small));
  const auto good = harness.Submit(
      {.plan = working, .inputs = {Ramp(1, 3), Ramp(1, 4)}, .priority = 2, .trace = true});
  // The failing row goes first in the batch, by priority.
  const auto bad =
      harness.Submit({.plan = failing, .inputs = {Ramp(1, 1), Ramp(1, 2)}, .priority = 1});
  standstill.End();
  CHECK_THAT(ErrorOf(*bad, absl::StatusCode::kResourceExhausted),
             Catch::StartsWith("step 'first': "));
  REQUIRE_OK(good->Get().status);
  CHECK(ToFloats(good->Get().outputs[0]) == TwiceSummed(1, 3, 4));
  REQUIRE(good->Get().trace.size() == 2);
  CHECK(good->Get().trace[1].batch_rows == 2);  // Else the test has not met what it is about.
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
  Standstill standstill(harness, alone);
  // Alone in its batch, padded to two rows, then the second of two in the next one.
  const auto left = harness.Submit({.plan = plan, .inputs = {Ramp(1, 3), Ramp(1, 4)}});
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
