// SPDX-License-Identifier: Apache-2.0
// Requests that are larger than a batch: cut into parts, and answered as one.
#include <catch2/catch.hpp>
#include <chrono>
#include <numeric>
#include <string>
#include <vector>

#include "scheduler/engine.h"
#include "scheduler/request_split.h"
#include "tests/scheduler/scale_add.h"

namespace omserve::scheduler {
namespace {

std::vector<int> BatchRows(const EngineHarness& harness) {
  std::vector<int> rows;
  for (const BatchRecord& batch : harness.recorder().batches()) {
    rows.push_back(batch.rows);
  }
  return rows;
}

// Full parts first, what is left last; one part when all fits.
TEST_CASE("Parts are full but for the last") {
  CHECK(PartRows(20, 8) == std::vector<int>{8, 8, 4});
  CHECK(PartRows(16, 8) == std::vector<int>{8, 8});
  CHECK(PartRows(3, 8) == std::vector<int>{3});
  CHECK(PartRows(3, 1) == std::vector<int>{1, 1, 1});
}

// Rows of fixed size, and of BYTES elements of different lengths, are found where they lie.
TEST_CASE("Rows are split where they lie") {
  const TestInput floats = Ramp(5, 0);
  const auto bytes = std::as_bytes(std::span(floats.bytes));
  const std::vector<int> rows = {2, 2, 1};
  const auto parts = VALUE(SplitRows(DataType::kFp32, floats.dims, bytes, rows));
  REQUIRE(parts.size() == 3);
  CHECK(parts[1].data() == bytes.data() + 2 * kWidth * 4);
  CHECK(parts[2].size() == kWidth * 4);

  std::string texts;
  for (const char* text : {"a", "", "long", "b", "c", "d"}) {
    texts += Bytes(text).bytes;
  }
  const std::vector<int> halves = {2, 1};
  const auto pieces =
      VALUE(SplitRows(DataType::kBytes, Dims{3, 2}, std::as_bytes(std::span(texts)), halves));
  CHECK(pieces[0].size() == 4 * 4 + 6);  // "a", "", "long", "b".
  CHECK(pieces[1].size() == 2 * 4 + 2);
}

// Ten rows and gears up to four: batches of 4, 4 and 2, and one answer with the rows in order.
TEST_CASE("A request larger than the largest gear is answered whole") {
  EngineHarness harness;
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1, 2, 4})));
  const auto answer = harness.Submit(
      {.plan = plan, .inputs = {Ramp(10, 1), Ramp(10, 100)}, .rows = 10, .trace = true});
  const InferResponse& response = answer->Get();
  REQUIRE_OK(response.status);
  REQUIRE(response.outputs.size() == 2);
  CHECK(response.outputs[1].dims == Dims{10, kWidth});
  CHECK(ToFloats(response.outputs[1]) == Summed(10, 1, 100));
  CHECK(response.trace.size() == 3);
  CHECK(BatchRows(harness) == std::vector<int>{4, 4, 2});
  // To its client it is one request.
  const std::vector<RequestRecord> requests = harness.recorder().requests();
  REQUIRE(requests.size() == 1);
  CHECK(requests[0].rows == 10);
  CHECK(requests[0].outcome == Outcome::kOk);
  CHECK(response.stages.sum() == response.stages.total);
}

// Each part was alone in its batch, so its rows were copied out of the device to their place in the
// answer: the answer is one block that nobody joined.
TEST_CASE("Parts that run alone are copied to their place") {
  EngineHarness harness;
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1, 4})));
  const auto answer =
      harness.Submit({.plan = plan, .inputs = {Ramp(8, 1), Ramp(8, 2)}, .rows = 8, .wanted = {1}});
  REQUIRE_OK(answer->Get().status);
  const size_t answer_bytes = size_t{8} * kWidth * 4;
  CHECK(answer->Get().outputs[0].bytes.size() == answer_bytes);
  // Two inputs, the answer, and the other output, which nobody joined: no more was ever in use.
  CHECK(harness.pinned().peak_bytes() <= 4 * answer_bytes);
}

// The last part shares its batch with another request: its rows are copied, and both are right.
TEST_CASE("A part shares a batch") {
  EngineHarness harness;
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1, 4})));
  Standstill still(harness, plan);
  const auto large =
      harness.Submit({.plan = plan, .inputs = {Ramp(6, 1), Ramp(6, 100)}, .rows = 6});
  const auto small = harness.Submit({.plan = plan, .inputs = {Ramp(2, 7), Ramp(2, 70)}, .rows = 2});
  still.End();
  REQUIRE_OK(large->Get().status);
  REQUIRE_OK(small->Get().status);
  CHECK(ToFloats(large->Get().outputs[1]) == Summed(6, 1, 100));
  CHECK(ToFloats(small->Get().outputs[1]) == Summed(2, 7, 70));
  CHECK(BatchRows(harness) == std::vector<int>{1, 4, 4});
}

// Two steps with gears up to 4 and up to 2: parts of two rows go through both.
TEST_CASE("A pipeline takes a request larger than its gears") {
  EngineHarness harness;
  const auto plan =
      TwoSteps(harness.AddModel("a", ScaleAdd({1, 4})), harness.AddModel("b", ScaleAdd({1, 2})));
  const auto answer =
      harness.Submit({.plan = plan, .inputs = {Ramp(5, 1), Ramp(5, 10)}, .rows = 5});
  REQUIRE_OK(answer->Get().status);
  CHECK(answer->Get().outputs[0].dims == Dims{5, kWidth});
  CHECK(ToFloats(answer->Get().outputs[0]) == TwiceSummed(5, 1, 10));
}

// A bound of eight rows: ten are refused as a whole, and nothing of them runs.
TEST_CASE("A large request is refused as a whole") {
  EngineHarness harness;
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1, 4}), {.max_queue_rows = 8}));
  const auto answer =
      harness.Submit({.plan = plan, .inputs = {Ramp(10, 1), Ramp(10, 1)}, .rows = 10});
  ErrorOf(*answer, absl::StatusCode::kUnavailable);
  CHECK(harness.recorder().batches().empty());
  CHECK(harness.recorder().requests().size() == 1);
}

// The client gives up while parts wait: they are all gone, the answer comes once.
TEST_CASE("A large request is cancelled as a whole") {
  EngineHarness harness;
  const auto plan = BuildSingle(
      *harness.AddModel("m", ScaleAdd({1, 4}), {.policy = {.max_delay = std::chrono::hours(1)}}));
  const auto answer = harness.Submit({.plan = plan, .inputs = {Ramp(6, 1), Ramp(6, 1)}, .rows = 6});
  harness.engine().CancelRequest(answer->id);
  ErrorOf(*answer, absl::StatusCode::kCancelled);
  // The first part was full and left; the second waited for company, and never ran.
  CHECK(BatchRows(harness).size() <= 1);
}

// The deadline is that of all parts, which wait behind two batches of 400 ms each: they end with
// it, as one.
TEST_CASE("A large request has one deadline") {
  EngineHarness harness(
      {.device_settings =
           R"("engine": "timed", "timed": {"default_cost_us": 400000, "jitter": 0})"});
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1, 4})));
  const EngineHarness::Send one{.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 1)}};
  const auto running = harness.Submit(one);
  const auto behind = harness.Submit(one);
  const auto answer =
      harness.Submit({.plan = plan,
                      .inputs = {Ramp(6, 1), Ramp(6, 1)},
                      .rows = 6,
                      .deadline = harness.clock().Now() + std::chrono::milliseconds(50)});
  ErrorOf(*answer, absl::StatusCode::kDeadlineExceeded);
  CHECK(harness.recorder().requests().size() == 1);
  CHECK_FALSE(running->arrived());
  CHECK_FALSE(behind->arrived());
}

// The first execution fails: that is the request's answer, and the parts that wait never run.
TEST_CASE("A failed part fails the request") {
  EngineHarness harness(
      {.device_settings = R"("faults": [{"task": "execute", "nth": 1, "code": 507011}])"});
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1, 2})));
  const auto answer = harness.Submit({.plan = plan, .inputs = {Ramp(9, 1), Ramp(9, 1)}, .rows = 9});
  ErrorOf(*answer, absl::StatusCode::kInternal);
  CHECK(harness.recorder().requests().size() == 1);
  CHECK(harness.recorder().batches().size() < 5);
}

}  // namespace
}  // namespace omserve::scheduler
