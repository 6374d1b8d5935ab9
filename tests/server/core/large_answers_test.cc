// SPDX-License-Identifier: Apache-2.0
#include "server/core/large_answers.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>
#include <memory>
#include <thread>
#include <utility>

#include "tests/scheduler/fake_clock.h"

namespace omserve::server {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;

constexpr size_t kUnknown = std::numeric_limits<size_t>::max();

// Outputs "scores" of a device step, [rows,1000] or [rows,500] FP32 by its bucket, which is dynamic
// on the wire, a text for each row from a host step, and one of which nobody knows the size.
class TestModel {
 public:
  TestModel() {
    subgraph_.shape.outputs = {{"scores", DataType::kFp32, {-1}}};
    subgraph_.shape.buckets = {{.output_dims = {{500}}, .output_row_bytes = {2000}},
                               {.output_dims = {{1000}}, .output_row_bytes = {4000}}};
    auto plan = std::make_shared<scheduler::Plan>();
    plan->batched = true;
    plan->nodes = {{.name = "device", .subgraph = &subgraph_}, {.name = "host"}};
    plan->tensors = {{.spec = {"scores", DataType::kFp32, {-1}}, .producer = 0},
                     {.spec = {"label", DataType::kBytes, {1}}, .producer = 1},
                     {.spec = {"free", DataType::kFp32, {-1}}, .producer = 1}};
    plan->outputs = {0, 1, 2};
    auto model = std::make_shared<Model>();
    model->plan = plan;
    model->outputs = {{"scores", DataType::kFp32, {-1, -1}},
                      {"label", DataType::kBytes, {-1, 1}},
                      {"free", DataType::kFp32, {-1, -1}}};
    model->max_rows = 64;
    model_ = model;
  }
  InferCall Call(int64_t rows, std::vector<std::string> outputs = {}) const {
    InferCall call{.model = model_, .outputs = std::move(outputs)};
    call.inputs.push_back({.name = "x", .shape = {rows, 3}});
    return call;
  }

 private:
  scheduler::Subgraph subgraph_;
  ModelHandle model_;
};

// Buckets, texts, classes and shared memory: what each adds, by rows.
TEST_CASE("The size of an answer is known from its rows and what is wanted") {
  const TestModel model;
  CHECK(EstimateAnswerBytes(model.Call(1, {"scores"})) == 4000);
  CHECK(EstimateAnswerBytes(model.Call(64, {"scores"})) == 64 * 4000);
  CHECK(EstimateAnswerBytes(model.Call(2, {"scores", "label"})) == 2 * (4000 + 256));
  InferCall some = model.Call(2, {"label", "scores"});
  some.places.resize(2);
  some.places[1].emplace();
  CHECK(EstimateAnswerBytes(some) == 2 * 256);
  some.places.clear();
  some.classes = {0, 3};
  CHECK(EstimateAnswerBytes(some) == 2 * (256 + 3 * 256));
}

// Nothing was checked yet: the estimate is that of a request that would be accepted.
TEST_CASE("The size of an answer to a request that is none") {
  const TestModel model;
  CHECK(EstimateAnswerBytes(model.Call(-7, {"scores"})) == 4000);
  CHECK(EstimateAnswerBytes(model.Call(std::numeric_limits<int64_t>::max(), {"scores"})) ==
        64 * 4000);
  CHECK(EstimateAnswerBytes(model.Call(1, {"no such output"})) == 0);
  InferCall call = model.Call(1, {"scores"});
  call.inputs.front().shape.clear();
  CHECK(EstimateAnswerBytes(call) == 4000);
  call.inputs.clear();
  CHECK(EstimateAnswerBytes(call) == 4000);
  call.classes = {std::numeric_limits<uint64_t>::max()};
  CHECK(EstimateAnswerBytes(call) == kUnknown);
}

// A host step says nothing of its output: it may be large, whatever else is asked for.
TEST_CASE("An answer whose size nobody knows may be large") {
  const TestModel model;
  CHECK(EstimateAnswerBytes(model.Call(1)) == kUnknown);
  CHECK(EstimateAnswerBytes(model.Call(1, {"free", "scores"})) == kUnknown);
  CHECK(EstimateAnswerBytes(model.Call(1, {"label"})) == 256);
}

// One is sent and one fails: they are waited for until then, or until the time is over.
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
    first->Leave(100);
    second.reset();  // It failed.
  });
  answers.AwaitMade(start + hours(1));
  const Clock::time_point made = SteadyClock().Now();
  answers.AwaitLeft(milliseconds(20), made + hours(1));
  CHECK(SteadyClock().Now() >= made + milliseconds(20));
  // Whoever holds it may hand it on.
  LargeAnswers::Ticket moved = std::move(*first);
  first.reset();
  moved.Leave(100);  // It has.
  const std::jthread client([&] { moved.Reset(); });
  answers.AwaitLeft(hours(1), start + hours(1));
  answers.AwaitMade(start + hours(1));
}

// A client that takes a MiB a second is not given up: three of them have three seconds more.
TEST_CASE("More is waited for longer") {
  FakeClock clock;
  LargeAnswers answers(clock);
  LargeAnswers::Ticket ticket = *answers.Begin();
  ticket.Leave(size_t{3} << 20);
  answers.Close();
  const Clock::time_point start = clock.Now();
  {
    const std::jthread time([&](const std::stop_token& stop) {
      while (!stop.stop_requested()) {
        clock.Advance(milliseconds(100));
      }
    });
    answers.AwaitLeft(milliseconds(500), start + hours(1000));
  }
  CHECK(clock.Now() >= start + milliseconds(3500));
}

// Tickets of nothing, moved away and given back are none.
TEST_CASE("What is no large answer is not waited for") {
  LargeAnswers answers(SteadyClock());
  LargeAnswers::Ticket none;
  none.Leave(100);
  none.Reset();
  LargeAnswers::Ticket replaced = *answers.Begin();
  replaced = LargeAnswers::Ticket();
  answers.Close();
  answers.AwaitMade(Clock::time_point::max());
  answers.AwaitLeft(hours(1), Clock::time_point::max());
}

}  // namespace
}  // namespace omserve::server
