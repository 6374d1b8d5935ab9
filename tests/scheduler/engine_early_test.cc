// SPDX-License-Identifier: Apache-2.0
// Requests that are answered as their outputs come: each output once for each row, and an end.
#include <catch2/catch.hpp>
#include <cstring>
#include <functional>
#include <latch>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/mutex.h"
#include "runtime/hostops/host_op.h"
#include "scheduler/step_cache.h"
#include "tests/scheduler/fake_clock.h"
#include "tests/scheduler/scale_add.h"

namespace omserve::scheduler {
namespace {

// A step on the host, which begins when the first one's outputs are there: it ends in a later turn
// of the device thread.
class Negate final : public hostops::HostOp {
 public:
  // Fails where the first value is larger, and runs `before` first.
  struct Behaviour {
    float largest = std::numeric_limits<float>::max();
    std::function<void()> before = [] {};
  };
  explicit Negate(Behaviour behaviour) : behaviour_(std::move(behaviour)) {}
  const std::vector<TensorSpec>& inputs() const override { return inputs_; }
  const std::vector<TensorSpec>& outputs() const override { return outputs_; }
  size_t MaxOutputBytes(size_t /*index*/, int rows) const override {
    return static_cast<size_t>(rows * kWidth) * sizeof(float);
  }
  absl::Status Run(int rows, std::span<const hostops::HostInput> inputs,
                   std::span<hostops::HostOutput> outputs) const override {
    behaviour_.before();
    float first = 0;
    std::memcpy(&first, inputs[0].bytes.data(), sizeof(first));
    if (first > behaviour_.largest) {
      return InvalidArgument("cannot negate");
    }
    for (size_t at = 0; at < MaxOutputBytes(0, rows); at += sizeof(float)) {
      float value = 0;
      std::memcpy(&value, inputs[0].bytes.data() + at, sizeof(value));
      value = -value;
      std::memcpy(outputs[0].buffer.data() + at, &value, sizeof(value));
    }
    outputs[0].bytes_used = MaxOutputBytes(0, rows);
    return absl::OkStatus();
  }

 private:
  const Behaviour behaviour_;
  const std::vector<TensorSpec> inputs_ = {{"value", DataType::kFp32, {kWidth}}};
  const std::vector<TensorSpec> outputs_ = {{"negative", DataType::kFp32, {kWidth}}};
};

// A model and Negate after it, both of whose results a client may ask for: "between" and "z".
std::shared_ptr<const Plan> OpenSteps(const Subgraph* first, Negate::Behaviour behaviour = {},
                                      std::shared_ptr<StepCache> cache = nullptr) {
  return VALUE(BuildPipeline(
      {.name = "open",
       .steps = {{.name = "first",
                  .subgraph = first,
                  .input_map = {{"x", "x"}, {"y", "y"}},
                  .output_map = {{"summed", "between"}},
                  .cache = std::move(cache)},
                 {.name = "second",
                  .op = std::make_shared<Negate>(std::move(behaviour)),
                  .input_map = {{"value", "between"}},
                  .output_map = {{"negative", "z"}}}},
       .outputs = {{"between", DataType::kFp32, {kWidth}}, {"z", DataType::kFp32, {kWidth}}}}));
}

std::vector<float> Negated(std::vector<float> values) {
  for (float& value : values) {
    value = -value;
  }
  return values;
}

// What came before the end.
class Early final {
 public:
  std::function<void(InferResponse)> Taker() {
    return [this](InferResponse response) {
      const MutexLock lock(mu_);
      responses_.push_back(std::move(response));
    };
  }
  // Requires that the request was answered.
  std::vector<InferResponse> Take() {
    const MutexLock lock(mu_);
    return std::exchange(responses_, {});
  }

 private:
  Mutex mu_;
  std::vector<InferResponse> responses_ ABSL_GUARDED_BY(mu_);
};

// The values of all answers: by output, by first row.
using Values = std::map<int, std::map<int, std::vector<float>>>;

// Adds what came; fails where an output came twice for a row.
void Add(const InferResponse& response, Values& values) {
  for (const ResponseOutput& output : response.outputs) {
    const bool is_new =
        values[output.output].try_emplace(response.first_row, ToFloats(output)).second;
    CHECK(is_new);
  }
}

std::vector<float> Joined(const std::map<int, std::vector<float>>& by_row) {
  std::vector<float> all;
  for (const auto& [row, values] : by_row) {
    CHECK(static_cast<size_t>(row) * kWidth == all.size());
    all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

// The first step's output leaves while the second runs; the end has only the second's.
TEST_CASE("An output leaves when its step is over") {
  EngineHarness harness;
  const auto plan = OpenSteps(harness.AddModel("a", ScaleAdd({1, 4})));
  Early early;
  const auto answer = harness.Submit(
      {.plan = plan, .inputs = {Ramp(2, 1), Ramp(2, 10)}, .rows = 2, .early = early.Taker()});
  const InferResponse& end = answer->Get();
  REQUIRE_OK(end.status);
  CHECK(end.is_final);
  const std::vector<InferResponse> before = early.Take();
  REQUIRE(before.size() == 1);
  CHECK_FALSE(before[0].is_final);
  REQUIRE(before[0].outputs.size() == 1);
  CHECK(before[0].outputs[0].output == 0);
  CHECK(before[0].outputs[0].dims == Dims{2, kWidth});
  CHECK(ToFloats(before[0].outputs[0]) == Summed(2, 1, 10));
  REQUIRE(end.outputs.size() == 1);
  CHECK(end.outputs[0].output == 1);
  CHECK(ToFloats(end.outputs[0]) == Negated(Summed(2, 1, 10)));
  CHECK(end.stages.sum() == end.stages.total);
  CHECK(harness.recorder().requests().size() == 1);
}

// Nothing that a client did not ask for leaves early, and a single model has only its end.
TEST_CASE("What is not wanted does not leave") {
  EngineHarness harness;
  const Subgraph* a = harness.AddModel("a", ScaleAdd({1, 4}));
  const auto plan = OpenSteps(a);
  Early early;
  const auto answer = harness.Submit(
      {.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 10)}, .wanted = {1}, .early = early.Taker()});
  REQUIRE_OK(answer->Get().status);
  CHECK(answer->Get().outputs.size() == 1);
  CHECK(early.Take().empty());
  const auto single = harness.Submit(
      {.plan = BuildSingle(*a), .inputs = {Ramp(1, 1), Ramp(1, 10)}, .early = early.Taker()});
  REQUIRE_OK(single->Get().status);
  CHECK(single->Get().outputs.size() == 2);
  CHECK(early.Take().empty());
}

// Ten rows and gears up to 2: every part answers by itself, for each of its steps.
TEST_CASE("Parts are answered apart") {
  EngineHarness harness;
  const auto plan = OpenSteps(harness.AddModel("a", ScaleAdd({1, 2})));
  Early early;
  const auto answer = harness.Submit(
      {.plan = plan, .inputs = {Ramp(10, 1), Ramp(10, 10)}, .rows = 10, .early = early.Taker()});
  const InferResponse& end = answer->Get();
  REQUIRE_OK(end.status);
  Values values;
  for (const InferResponse& response : early.Take()) {
    CHECK_FALSE(response.is_final);
    Add(response, values);
  }
  CHECK(values[1].size() < 5);  // The last part's end is the request's.
  Add(end, values);
  CHECK(Joined(values[0]) == Summed(10, 1, 10));
  CHECK(Joined(values[1]) == Negated(Summed(10, 1, 10)));
  CHECK(values[1].size() == 5);
  CHECK(end.stages.sum() == end.stages.total);
  const std::vector<RequestRecord> requests = harness.recorder().requests();
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].rows == 10);
}

// Rows of several requests in one batch, some of which are answered as they come: the others are
// answered whole.
TEST_CASE("Requests of both kinds share batches") {
  EngineHarness harness;
  const Subgraph* a = harness.AddModel("a", ScaleAdd({1, 4}));
  const auto plan = OpenSteps(a);
  Early early;
  Standstill still(harness, BuildSingle(*a));
  const auto one =
      harness.Submit({.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 10)}, .early = early.Taker()});
  const auto whole = harness.Submit({.plan = plan, .inputs = {Ramp(1, 5), Ramp(1, 50)}});
  still.End();
  REQUIRE_OK(one->Get().status);
  REQUIRE_OK(whole->Get().status);
  const std::vector<InferResponse> before = early.Take();
  REQUIRE(before.size() == 1);
  CHECK(ToFloats(before[0].outputs[0]) == Summed(1, 1, 10));
  CHECK(one->Get().outputs.size() == 1);
  REQUIRE(whole->Get().outputs.size() == 2);
  CHECK(ToFloats(whole->Get().outputs[0]) == Summed(1, 5, 50));
  CHECK(ToFloats(whole->Get().outputs[1]) == Negated(Summed(1, 5, 50)));
}

// An output that was kept leaves early too.
TEST_CASE("A kept output leaves early") {
  EngineHarness harness;
  const auto plan = OpenSteps(harness.AddModel("a", ScaleAdd({1, 4})), {},
                              std::make_shared<StepCache>(harness.pinned(), size_t{1} << 20));
  for (int time = 0; time < 2; ++time) {
    Early early;
    const auto answer =
        harness.Submit({.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 10)}, .early = early.Taker()});
    REQUIRE_OK(answer->Get().status);
    const std::vector<InferResponse> before = early.Take();
    REQUIRE(before.size() == 1);
    CHECK(ToFloats(before[0].outputs[0]) == Summed(1, 1, 10));
  }
}

// The second step fails: what the first made was given, and the end says why there is no more.
TEST_CASE("A failure ends what was begun") {
  EngineHarness harness;
  const auto plan = OpenSteps(harness.AddModel("a", ScaleAdd({1, 4})), {.largest = -1});
  Early early;
  const auto answer =
      harness.Submit({.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 10)}, .early = early.Taker()});
  CHECK_THAT(ErrorOf(*answer, absl::StatusCode::kInvalidArgument),
             Catch::Contains("step 'second'") && Catch::Contains("cannot negate"));
  CHECK(answer->Get().is_final);
  CHECK(early.Take().size() == 1);
}

// A part fails after others have answered: the end says why, and nothing comes after it.
TEST_CASE("A part that fails ends the request") {
  EngineHarness harness;
  // The first value of a part's rows grows with the part.
  const float largest = Summed(10, 1, 10)[5 * kWidth];
  const auto plan = OpenSteps(harness.AddModel("a", ScaleAdd({1, 2})), {.largest = largest});
  Early early;
  const auto answer = harness.Submit(
      {.plan = plan, .inputs = {Ramp(10, 1), Ramp(10, 10)}, .rows = 10, .early = early.Taker()});
  CHECK_THAT(ErrorOf(*answer, absl::StatusCode::kInvalidArgument),
             Catch::Contains("cannot negate"));
  CHECK(answer->Get().is_final);
  Values values;
  for (const InferResponse& response : early.Take()) {
    REQUIRE_OK(response.status);
    Add(response, values);
  }
  for (const auto& [row, negated] : values[1]) {
    CHECK(row <= 4);  // Parts beyond fail.
  }
  REQUIRE_OK(harness.engine().Drain(harness.clock().Now() + std::chrono::minutes(1)));
  CHECK(early.Take().empty());
  const std::vector<RequestRecord> requests = harness.recorder().requests();
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].outcome == Outcome::kFailed);
}

// A request between its first answer and its end, for as long as a test likes. Outlives the engine.
struct Begun {
  std::shared_ptr<Answer> Begin(EngineHarness& harness, const Subgraph* first,
                                Instant deadline = Instant::max()) {
    const auto answer =
        harness.Submit({.plan = OpenSteps(first, {.before = [this] { goes_on.wait(); }}),
                        .inputs = {Ramp(1, 1), Ramp(1, 10)},
                        .deadline = deadline,
                        .early = [this, take = early.Taker()](InferResponse response) {
                          take(std::move(response));
                          came.count_down();
                        }});
    came.wait();
    return answer;
  }
  // The end is told before the second step is over, which was not told to stop.
  void ExpectEnd(const Answer& answer, absl::StatusCode code) {
    CHECK(answer.Get().status.code() == code);
    CHECK(answer.Get().is_final);
    goes_on.count_down();
    CHECK(early.Take().size() == 1);
  }
  // The second step's output.
  void ExpectOutput(const Answer& answer) {
    const InferResponse& end = answer.Get();
    REQUIRE_OK(end.status);
    CHECK(end.is_final);
    REQUIRE(end.outputs.size() == 1);
    CHECK(ToFloats(end.outputs[0]) == Negated(Summed(1, 1, 10)));
    CHECK(early.Take().size() == 1);
  }

  std::latch came{1};
  std::latch goes_on{1};
  Early early;
};

TEST_CASE("A request is cancelled after an answer") {
  Begun begun;
  EngineHarness harness;
  const auto answer = begun.Begin(harness, harness.AddModel("a", ScaleAdd({1, 4})));
  harness.engine().CancelRequest(answer->id);
  begun.ExpectEnd(*answer, absl::StatusCode::kCancelled);
}

TEST_CASE("A deadline passes after an answer") {
  FakeClock clock;
  Begun begun;
  EngineHarness harness({.clock = &clock});
  const auto answer = begun.Begin(harness, harness.AddModel("a", ScaleAdd({1, 4})),
                                  clock.Now() + std::chrono::seconds(10));
  clock.Advance(std::chrono::seconds(11));
  begun.ExpectEnd(*answer, absl::StatusCode::kDeadlineExceeded);
}

// A drain lets what was begun go on to its end.
TEST_CASE("The engine drains after an answer") {
  Begun begun;
  EngineHarness harness;
  const Subgraph* a = harness.AddModel("a", ScaleAdd({1, 4}));
  const auto answer = begun.Begin(harness, a);
  absl::Status drained;
  std::jthread drains(
      [&] { drained = harness.engine().Drain(harness.clock().Now() + std::chrono::minutes(1)); });
  const auto plan = BuildSingle(*a);
  while (harness.Submit({.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 10)}})->submitted.ok()) {
  }
  begun.goes_on.count_down();
  begun.ExpectOutput(*answer);
  drains.join();
  REQUIRE_OK(drained);
}

// As without the answer: all that the device had is told at once, wherever it is.
TEST_CASE("The device is lost after an answer") {
  Begun begun;
  EngineHarness harness(
      {.device_settings = R"("faults": [{"task": "execute", "nth": 2, "device_lost": 507010}])"});
  const Subgraph* a = harness.AddModel("a", ScaleAdd({1, 4}));
  const auto answer = begun.Begin(harness, a);
  const auto lost = harness.Submit({.plan = BuildSingle(*a), .inputs = {Ramp(1, 1), Ramp(1, 10)}});
  CHECK_FALSE(lost->Get().status.ok());
  begun.ExpectEnd(*answer, absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace omserve::scheduler
