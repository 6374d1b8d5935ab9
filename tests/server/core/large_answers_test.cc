// SPDX-License-Identifier: Apache-2.0
#include "server/core/large_answers.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>
#include <memory>
#include <thread>
#include <utility>

namespace omserve::server {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr size_t kUnknown = std::numeric_limits<size_t>::max();

// Outputs [rows,1000] FP32, a text for each row, and one that the request decides.
ModelHandle MakeModel(bool with_free_output) {
  auto model = std::make_shared<Model>();
  auto plan = std::make_shared<scheduler::Plan>();
  plan->batched = true;
  model->plan = plan;
  model->outputs = {{"scores", DataType::kFp32, {-1, 1000}}, {"label", DataType::kBytes, {-1, 1}}};
  if (with_free_output) {
    model->outputs.push_back({"free", DataType::kFp32, {-1, -1}});
  }
  model->max_rows = 64;
  return model;
}

InferCall CallOf(ModelHandle model, int64_t rows, std::vector<std::string> outputs = {}) {
  InferCall call{.model = std::move(model), .outputs = std::move(outputs)};
  call.inputs.push_back({.name = "x", .shape = {rows, 3}});
  return call;
}

TEST_CASE("The size of an answer is known from its rows and what is wanted") {
  const ModelHandle model = MakeModel(/*with_free_output=*/false);
  CHECK(EstimateAnswerBytes(CallOf(model, 1, {"scores"})) == 4000);
  CHECK(EstimateAnswerBytes(CallOf(model, 64, {"scores"})) == 64 * 4000);
  CHECK(EstimateAnswerBytes(CallOf(model, 2)) == 2 * (4000 + 256));
  CHECK(EstimateAnswerBytes(CallOf(model, 2, {"label"})) == 2 * 256);
  InferCall shared = CallOf(model, 2);
  shared.outputs = {"label", "scores"};
  shared.places.resize(2);
  shared.places[1].emplace();
  CHECK(EstimateAnswerBytes(shared) == 2 * 256);
}

// Nothing was checked yet.
TEST_CASE("The size of an answer to a request that is none") {
  const ModelHandle model = MakeModel(/*with_free_output=*/false);
  CHECK(EstimateAnswerBytes(CallOf(model, -7, {"scores"})) == 4000);
  CHECK(EstimateAnswerBytes(CallOf(model, std::numeric_limits<int64_t>::max(), {"scores"})) ==
        64 * 4000);
  CHECK(EstimateAnswerBytes(CallOf(model, 1, {"no such output"})) == 0);
  InferCall call = CallOf(model, 1, {"scores"});
  call.inputs.front().shape.clear();
  CHECK(EstimateAnswerBytes(call) == 4000);
  call.inputs.clear();
  CHECK(EstimateAnswerBytes(call) == 4000);
}

TEST_CASE("An answer whose size the request decides may be large") {
  const ModelHandle model = MakeModel(/*with_free_output=*/true);
  CHECK(EstimateAnswerBytes(CallOf(model, 1)) == kUnknown);
  CHECK(EstimateAnswerBytes(CallOf(model, 1, {"free", "scores"})) == kUnknown);
  CHECK(EstimateAnswerBytes(CallOf(model, 1, {"label"})) == 256);
}

// Both waits return at once: they have nothing to wait for, or have waited until now.
TEST_CASE("Large answers are waited for until they have left") {
  LargeAnswers answers(SteadyClock());
  std::optional<LargeAnswers::Ticket> first = answers.Begin();
  std::optional<LargeAnswers::Ticket> second = answers.Begin();
  REQUIRE(first.has_value());
  REQUIRE(second.has_value());
  answers.Close();
  CHECK_FALSE(answers.Begin().has_value());
  const Clock::time_point start = SteadyClock().Now();
  answers.AwaitMade(start + milliseconds(20));
  CHECK(SteadyClock().Now() >= start + milliseconds(20));
  const std::jthread engine([&] {
    first->Leave();
    second.reset();  // It failed.
  });
  answers.AwaitMade(start + hours(1));
  const Clock::time_point made = SteadyClock().Now();
  answers.AwaitLeft(made + milliseconds(20));
  CHECK(SteadyClock().Now() >= made + milliseconds(20));
  // Whoever holds it may hand it on.
  LargeAnswers::Ticket moved = std::move(*first);
  first.reset();
  moved.Leave();  // It has.
  const std::jthread client([&] { moved.Reset(); });
  answers.AwaitLeft(start + hours(1));
  answers.AwaitMade(start + hours(1));
}

TEST_CASE("What is no large answer is not waited for") {
  LargeAnswers answers(SteadyClock());
  LargeAnswers::Ticket none;
  none.Leave();
  none.Reset();
  LargeAnswers::Ticket replaced = *answers.Begin();
  replaced = LargeAnswers::Ticket();
  answers.Close();
  answers.AwaitMade(Clock::time_point::max());
  answers.AwaitLeft(Clock::time_point::max());
}

}  // namespace
}  // namespace omserve::server
