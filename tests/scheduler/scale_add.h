// SPDX-License-Identifier: Apache-2.0
// A model whose answers a test can compute: scaled = kScale * x and summed = scaled + y.
#pragma once

#include <catch2/catch.hpp>
#include <latch>
#include <memory>
#include <string>
#include <vector>

#include "tests/runtime/acl/tiny_model.h"
#include "tests/scheduler/engine_harness.h"
#include "tests/status_test_util.h"

namespace omserve::scheduler {

using testing::kScale;

inline constexpr int64_t kWidth = 16;

// scaled = kScale * x and summed = scaled + y, rows of kWidth numbers, for these batch sizes.
inline std::string ScaleAdd(const std::vector<int64_t>& batches) {
  std::vector<std::vector<int64_t>> gears;
  for (const int64_t batch : batches) {
    gears.push_back({batch});
  }
  return testing::ScaleAddModel({-1, kWidth}, om::GearKind::kBatch, gears);
}

// `rows` rows that are different for every `start`.
inline TestInput Ramp(int rows, float start) {
  std::vector<float> values;
  for (int64_t i = 0; i < rows * kWidth; ++i) {
    values.push_back(start + static_cast<float>(i));
  }
  return Floats({rows, kWidth}, values);
}

// What ScaleAdd makes of Ramp(rows, x) and Ramp(rows, y), element by element.
inline std::vector<float> Summed(int rows, float x, float y) {
  std::vector<float> values;
  for (int64_t i = 0; i < rows * kWidth; ++i) {
    values.push_back(kScale * (x + static_cast<float>(i)) + (y + static_cast<float>(i)));
  }
  return values;
}

// Two models in a row: z = kScale * summed(x, y) + y.
inline std::shared_ptr<const Plan> TwoSteps(const Subgraph* first, const Subgraph* second) {
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

inline std::vector<float> TwiceSummed(int rows, float x, float y) {
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

// The message of an answer that must be an error of this code.
inline std::string ErrorOf(const Answer& answer, absl::StatusCode code) {
  const InferResponse& response = answer.Get();
  CHECK(response.status.code() == code);
  CHECK(response.outputs.empty());
  return std::string(MessageOf(response.status));
}

}  // namespace omserve::scheduler
