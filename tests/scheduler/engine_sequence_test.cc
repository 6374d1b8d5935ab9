// SPDX-License-Identifier: Apache-2.0
// Sequences on the CPU device: state that stays there, and the inputs that the server makes.
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "tests/runtime/acl/tiny_model.h"
#include "tests/scheduler/engine_harness.h"
#include "tests/status_test_util.h"

namespace omserve::scheduler {
namespace {

constexpr int64_t kWidth = 24;

template <typename T>
std::string BytesOf(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof(value)};
}

// The inputs and outputs of testing::AccumulateModel, by their places.
SequenceSpec Spec(SequenceSpec::Strategy strategy, int slots) {
  using Kind = SequenceControl::Kind;
  SequenceSpec spec{
      .strategy = strategy, .slots_per_lane = slots, .max_idle = std::chrono::minutes(5)};
  for (const auto& [kind, input] :
       {std::pair(Kind::kStart, 2), std::pair(Kind::kReady, 3), std::pair(Kind::kEnd, 4)}) {
    spec.controls.push_back(
        {.kind = kind, .input = input, .false_bytes = BytesOf(0.0F), .true_bytes = BytesOf(1.0F)});
  }
  spec.controls.push_back({.kind = Kind::kCorrelationId, .input = 5, .element_bytes = 8});
  spec.states.push_back({.input = 1, .output = 0});
  return spec;
}

struct Accumulator {
  EngineHarness harness;
  std::shared_ptr<const Plan> plan;

  Accumulator(const std::vector<int64_t>& batches, const SequenceSpec& spec, int instances = 1) {
    plan = BuildSingle(*harness.AddModel("acc", testing::AccumulateModel(kWidth, batches),
                                         {.instances = instances, .sequence = spec}));
  }

  std::shared_ptr<Answer> Submit(uint64_t id, float x, bool start = false, bool end = false) {
    std::vector<float> values;
    for (int64_t i = 0; i < kWidth; ++i) {
      values.push_back(x + static_cast<float>(i));
    }
    return harness.Submit({.plan = plan,
                           .inputs = {Floats({1, kWidth}, values)},
                           .sequence = {.id = {.number = id}, .start = start, .end = end}});
  }
};

// What `count` requests that add up to `sum` make of a state of zeros, and what they were told.
void CheckAnswer(const Answer& answer, float sum, int count, uint64_t id, bool start, bool end) {
  const InferResponse& response = answer.Get();
  REQUIRE_OK(response.status);
  REQUIRE(response.outputs.size() == 3);  // twice, marks, id: the state itself stays.
  std::vector<float> expected;
  for (int64_t i = 0; i < kWidth; ++i) {
    expected.push_back(2 * (sum + static_cast<float>(i * count)));
  }
  CHECK(ToFloats(response.outputs[0]) == expected);
  CHECK(ToFloats(response.outputs[1]) ==
        std::vector<float>{start ? 1.0F : 0.0F, 1, end ? 1.0F : 0});
  uint64_t told = 0;
  std::memcpy(&told, response.outputs[2].bytes.data(), sizeof(told));
  CHECK(told == id);
}

// A request's state, controls and answer: start, middle, end, and again from zeros.
TEST_CASE("State is kept from request to request") {
  const auto strategy = GENERATE(SequenceSpec::Strategy::kDirect, SequenceSpec::Strategy::kOldest);
  const std::vector<int64_t> batches =
      GENERATE(std::vector<int64_t>{1}, std::vector<int64_t>{1, 2, 4});
  const bool in_place = GENERATE(false, true);
  SequenceSpec spec = Spec(strategy, static_cast<int>(batches.back()));
  spec.states[0].in_place = in_place;
  Accumulator acc(batches, spec);
  CHECK(acc.plan->inputs.size() == 1);
  for (int again = 0; again < 2; ++again) {
    CheckAnswer(*acc.Submit(7, 1, true), 1, 1, 7, true, false);
    CheckAnswer(*acc.Submit(7, 10), 11, 2, 7, false, false);
    CheckAnswer(*acc.Submit(7, 100), 111, 3, 7, false, false);
    CheckAnswer(*acc.Submit(7, 1000, false, true), 1111, 4, 7, false, true);
  }
}

// A state that begins with what a file says, and is an output that clients may ask for.
TEST_CASE("State begins as configured") {
  SequenceSpec spec = Spec(SequenceSpec::Strategy::kDirect, 2);
  const std::vector<float> initial(static_cast<size_t>(kWidth), 0.5F);
  spec.states[0].initial.assign(reinterpret_cast<const char*>(initial.data()),
                                initial.size() * sizeof(float));
  spec.states[0].is_visible = true;
  Accumulator acc({1, 2}, spec);
  REQUIRE(acc.plan->outputs.size() == 4);
  for (const float before : {0.5F, 1.5F}) {
    const auto answer = acc.Submit(3, 1, before == 0.5F);
    const InferResponse& response = answer->Get();
    REQUIRE_OK(response.status);
    CHECK(ToFloats(response.outputs[0]).front() == before + 1);
  }
}

// Many sequences at once, sent in a random order, in batches with gaps, behind each other in the
// backlog: each has the sums of its own numbers alone.
TEST_CASE("Sequences do not mix") {
  const auto strategy = GENERATE(SequenceSpec::Strategy::kDirect, SequenceSpec::Strategy::kOldest);
  const std::vector<int64_t> batches =
      GENERATE(std::vector<int64_t>{1}, std::vector<int64_t>{1, 2, 4});
  const int slots =
      strategy == SequenceSpec::Strategy::kOldest ? 5 : static_cast<int>(batches.back());
  Accumulator acc(batches, Spec(strategy, slots), 2);
  struct Running {
    float sum = 0;
    int count = 0;
  };
  struct Sent {
    std::shared_ptr<Answer> answer;
    Running after;
    uint64_t id;
    bool start;
    bool end;
  };
  std::mt19937_64 random(11);
  std::map<uint64_t, Running> running;
  std::vector<Sent> sent;
  constexpr int kRequests = 400;
  for (int i = 0; i < kRequests; ++i) {
    const uint64_t id = 1 + random() % 12;
    const auto x = static_cast<float>(random() % 100);
    const bool start = !running.contains(id);
    // All are ended at last, so that nobody waits for a slot for ever.
    const bool end = random() % 6 == 0;
    Running& now = running[id];
    now.sum += x;
    ++now.count;
    sent.push_back({acc.Submit(id, x, start, end), now, id, start, end});
    if (end) {
      running.erase(id);
    }
  }
  for (const auto& [id, now] : running) {
    sent.push_back({acc.Submit(id, 1, false, true), {now.sum + 1, now.count + 1}, id, false, true});
  }
  for (const Sent& one : sent) {
    CheckAnswer(*one.answer, one.after.sum, one.after.count, one.id, one.start, one.end);
  }
  int rows = 0;
  for (const BatchRecord& batch : acc.harness.recorder().batches()) {
    CHECK(batch.rows <= batch.gear_rows);
    rows += batch.rows;
  }
  CHECK(rows == static_cast<int>(sent.size()));
}

// The words that clients know.
TEST_CASE("A sequence that is not open is refused") {
  Accumulator acc({1}, Spec(SequenceSpec::Strategy::kDirect, 1));
  const auto answer = acc.Submit(9, 1);
  CHECK(answer->Get().status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(answer->Get().status.message() ==
        "inference request for sequence 9 to model 'acc' must specify the START flag on the first "
        "request of the sequence");
}

// A pipeline would have to keep a sequence over several models.
TEST_CASE("A model that keeps state is no step of a pipeline") {
  Accumulator acc({1}, Spec(SequenceSpec::Strategy::kDirect, 1));
  const Subgraph* subgraph = acc.plan->nodes.front().subgraph;
  StepSpec step{.name = "one", .subgraph = subgraph, .input_map = {{"x", "x"}}};
  StepSpec other = step;
  other.name = "two";
  const auto plan = BuildPipeline({.name = "p", .steps = {step, other}});
  CHECK(plan.status().message() ==
        "pipeline 'p': step 'one': model 'acc' keeps state between requests (sequence_batching) "
        "and is called alone, not as a step");
}

}  // namespace
}  // namespace omserve::scheduler
