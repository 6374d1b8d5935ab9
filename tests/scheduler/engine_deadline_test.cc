// SPDX-License-Identifier: Apache-2.0
// Deadlines, cancellation and warm-up through the engine, on a device where time passes in place of
// computing.
#include <catch2/catch.hpp>
#include <chrono>
#include <latch>
#include <optional>
#include <thread>

#include "scheduler/engine.h"
#include "tests/scheduler/scale_add.h"

namespace omserve::scheduler {
namespace {

using std::chrono::milliseconds;

// A batch takes 400 ms, whatever its gear.
constexpr char kSlow[] =
    R"("engine": "timed", "cores": 2, "timed": {"default_cost_us": 400000, "jitter": 0})";
// A batch takes 20 ms.
constexpr char kQuick[] =
    R"("engine": "timed", "cores": 2, "timed": {"default_cost_us": 20000, "jitter": 0})";

EngineHarness::Send Row(const std::shared_ptr<const Plan>& plan,
                        Instant deadline = Instant::max()) {
  return {.plan = plan, .inputs = {Ramp(1, 0), Ramp(1, 1)}, .deadline = deadline};
}

// Of the only model, as told when the device thread had its last turn; 0 before its first one.
int QueuedRows(EngineHarness& harness) {
  const std::vector<int> rows = harness.engine().load().queued_rows;
  return rows.empty() ? 0 : rows[0];
}

// Waits until the device thread has taken up what was submitted.
void AwaitQueuedRows(EngineHarness& harness, int rows) {
  while (QueuedRows(harness) != rows) {
    std::this_thread::yield();
  }
}

// Holds the device thread up in an answer, until Release.
struct HeldThread {
  HeldThread(EngineHarness& harness, const std::shared_ptr<const Plan>& plan) {
    EngineHarness::Send send = Row(plan);
    send.before_answer = [this] {
      held.count_down();
      release.wait();
    };
    first = harness.Submit(send);
    held.wait();
  }
  void Release() { release.count_down(); }

  std::latch held{1};
  std::latch release{1};
  std::shared_ptr<Answer> first;
};

// One batch runs for 400 ms and another waits behind it. A request that joins the queue is answered
// at its own deadline, long before either is over, and its memory comes back at once.
TEST_CASE("A deadline is noticed while the device is busy") {
  EngineHarness harness({.device_settings = kSlow});
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1})));
  const auto running = harness.Submit(Row(plan));
  const auto behind = harness.Submit(Row(plan));
  const Instant deadline = harness.clock().Now() + milliseconds(50);
  Instant answered;
  auto send = Row(plan, deadline);
  send.before_answer = [&] { answered = harness.clock().Now(); };
  const auto waiting = harness.Submit(send);
  CHECK(waiting->Get().status.code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(answered >= deadline);
  CHECK_FALSE(running->arrived());
  CHECK_FALSE(behind->arrived());
  // How late is the machine's matter, so it is shown and not judged; a batch's end is far away.
  CAPTURE((answered - deadline).count());
  CHECK(answered < deadline + milliseconds(200));
}

// The same with a cancellation: the row leaves, and with it its pinned memory, while the batch
// runs.
TEST_CASE("A cancelled request that waits gives its memory back at once") {
  EngineHarness harness({.device_settings = kSlow});
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1})));
  const auto running = harness.Submit(Row(plan));
  const auto behind = harness.Submit(Row(plan));
  const auto waiting = harness.Submit(Row(plan));
  AwaitQueuedRows(harness, 1);
  const size_t before = harness.pinned().used_bytes();
  harness.engine().CancelRequest(waiting->id);
  CHECK(waiting->Get().status.code() == absl::StatusCode::kCancelled);
  AwaitQueuedRows(harness, 0);
  CHECK(harness.pinned().used_bytes() < before);
  CHECK(harness.engine().load().input_bytes == 2 * 2 * kWidth * sizeof(float));
  CHECK_FALSE(running->arrived());
  CHECK_FALSE(behind->arrived());
}

// The device thread is held up, so a request waits in front of it. Cancelled there, its memory is
// free before the call returns; it is answered when the thread gets to it, and never runs.
TEST_CASE("A request that was not taken up gives its memory back with the cancellation") {
  EngineHarness harness({.device_settings = kQuick});
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1})));
  HeldThread held(harness, plan);
  const size_t before = harness.pinned().used_bytes();
  const auto second = harness.Submit(Row(plan));
  REQUIRE(harness.pinned().used_bytes() > before);
  harness.engine().CancelRequest(second->id);
  CHECK(harness.pinned().used_bytes() == before);
  CHECK_FALSE(second->arrived());
  held.Release();
  CHECK(second->Get().status.code() == absl::StatusCode::kCancelled);
  REQUIRE_OK(held.first->Get().status);
  CHECK(harness.recorder().batches().size() == 1);
}

// A deadline that has passed is refused by the caller's thread, with the reason.
TEST_CASE("A late request is refused before it is queued") {
  EngineHarness harness({.device_settings = kQuick});
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1})));
  const Instant past = harness.clock().Now() - milliseconds(5);
  const auto answer = harness.Submit(Row(plan, past));
  CHECK(answer->submitted.code() == absl::StatusCode::kDeadlineExceeded);
  const std::optional<Refusal> refusal = RefusalOf(answer->submitted);
  REQUIRE(refusal.has_value());
  CHECK(refusal->reason == RefusalReason::kDeadlinePassed);
  CHECK(RefusalOf(harness.engine().CheckRoom(*plan, past, 0)).has_value());
  REQUIRE_OK(harness.engine().CheckRoom(*plan, Instant::max(), 0));
}

// A warmed-up model of 20 ms refuses a deadline of 10 ms before anything ran for a client, and
// serves one of a second.
TEST_CASE("Warm-up lets the first request be judged") {
  EngineHarness harness({.device_settings = kQuick,
                         .engine = {.device_pool_bytes = size_t{32} << 20, .warm_up_runs = 2}});
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1, 4})));
  const auto hasty = harness.Submit(Row(plan, harness.clock().Now() + milliseconds(10)));
  const InferResponse& response = hasty->Get();
  CHECK(response.status.code() == absl::StatusCode::kDeadlineExceeded);
  REQUIRE(RefusalOf(response.status).has_value());
  CHECK(RefusalOf(response.status)->reason == RefusalReason::kDeadlineTooShort);
  CHECK(harness.recorder().batches().empty());
  const auto patient = harness.Submit(Row(plan, harness.clock().Now() + std::chrono::seconds(60)));
  REQUIRE_OK(patient->Get().status);
}

// More requests on their way to a device thread that is held up than it takes: a typed refusal.
TEST_CASE("Too many requests on their way are refused") {
  EngineHarness harness({.device_settings = kQuick,
                         .engine = {.device_pool_bytes = size_t{32} << 20, .max_messages = 1}});
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1})));
  HeldThread held(harness, plan);
  const auto second = harness.Submit(Row(plan));
  const auto third = harness.Submit(Row(plan));
  held.Release();
  REQUIRE_OK(second->submitted);
  REQUIRE(RefusalOf(third->submitted).has_value());
  CHECK(RefusalOf(third->submitted)->reason == RefusalReason::kQueueMessages);
  REQUIRE_OK(second->Get().status);
  REQUIRE_OK(held.first->Get().status);
}

}  // namespace
}  // namespace omserve::scheduler
