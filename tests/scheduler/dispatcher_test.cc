// SPDX-License-Identifier: Apache-2.0
// Requests over several CPU devices: all are used, each answer is right, and what a lost device had
// not begun is done by another.
#include "scheduler/dispatcher.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "tests/scheduler/dispatcher_harness.h"
#include "tests/scheduler/scale_add.h"

namespace omserve::scheduler {
namespace {

using Kind = DeviceIncident::Kind;
using std::chrono::milliseconds;

std::shared_ptr<Answer> SendOne(DispatcherHarness& harness,
                                const std::shared_ptr<const Placement>& placement, float x) {
  return harness.Submit({.placement = placement, .inputs = {Ramp(1, x), Ramp(1, 2)}});
}

void CheckRight(const Answer& answer, float x) {
  REQUIRE_OK(answer.Get().status);
  CHECK(ToFloats(answer.Get().outputs[1]) == Summed(1, x, 2));
}

size_t Rows(const Recorder& recorder) {
  size_t rows = 0;
  for (const BatchRecord& batch : recorder.batches()) {
    rows += static_cast<size_t>(batch.rows);
  }
  return rows;
}

// A burst to a model on four devices that take their time: no device has far from its share, which
// is 100; how far is a matter of who runs when, on a machine that others use too.
TEST_CASE("A burst is computed by all devices") {
  DispatcherHarness harness(
      {.devices = 4,
       .device_settings = R"("engine": "timed", "cores": 1, "timed": {"default_cost_us": 3000})",
       .engine = {.device_pool_bytes = size_t{8} << 20, .warm_up_runs = 1}});
  const auto placement = DispatcherHarness::Single(harness.AddModel("m", ScaleAdd({1, 2, 4})));
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 400; ++i) {
    answers.push_back(SendOne(harness, placement, static_cast<float>(i)));
  }
  for (const auto& answer : answers) {
    REQUIRE_OK(answer->Get().status);
  }
  for (size_t place = 0; place < 4; ++place) {
    CAPTURE(place);
    CHECK(Rows(harness.recorder(place)) > 20);
  }
}

// Models that live on different devices: each request goes where its model is.
TEST_CASE("Requests go where their model is") {
  DispatcherHarness harness({.devices = 3});
  const auto first = DispatcherHarness::Single(harness.AddModel("a", ScaleAdd({1, 2}), {0}));
  const auto rest = DispatcherHarness::Single(harness.AddModel("b", ScaleAdd({1, 2}), {1, 2}));
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 60; ++i) {
    answers.push_back(SendOne(harness, i % 2 == 0 ? first : rest, static_cast<float>(i)));
  }
  for (size_t i = 0; i < answers.size(); ++i) {
    CheckRight(*answers[i], static_cast<float>(i));
  }
  CHECK(Rows(harness.recorder(0)) == 30);
  CHECK(Rows(harness.recorder(1)) + Rows(harness.recorder(2)) == 30);
}

// A model on two lanes of very unlike cost, one request after the other is sent before any is done:
// ids differ, and each names the device that answers it.
TEST_CASE("Ids are unique over the devices and cancel there") {
  DispatcherHarness harness({.devices = 3});
  // Waits for company for longer than any test.
  const auto placement = DispatcherHarness::Single(harness.AddModel(
      "m", ScaleAdd({1, 8}), {}, {.preferred_rows = {8}, .max_delay = std::chrono::hours(1)}));
  std::set<RequestId> ids;
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 6; ++i) {
    answers.push_back(SendOne(harness, placement, 1));
    ids.insert(answers.back()->id);
  }
  CHECK(ids.size() == 6);
  for (const auto& answer : answers) {
    harness.dispatcher().CancelRequest(answer->id);
    CHECK(answer->Get().status.code() == absl::StatusCode::kCancelled);
  }
}

// Order is kept by one engine among its own requests, so all of them go to one.
TEST_CASE("A model that keeps the order of its requests is on one device at a time") {
  DispatcherHarness harness({.devices = 3});
  Placement ordered = *DispatcherHarness::Single(harness.AddModel("m", ScaleAdd({1, 2})));
  for (std::shared_ptr<const Plan>& plan : ordered.plans) {
    Plan own = *plan;
    own.preserve_ordering = true;
    plan = std::make_shared<const Plan>(std::move(own));
  }
  const auto placement = std::make_shared<const Placement>(std::move(ordered));
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 30; ++i) {
    answers.push_back(SendOne(harness, placement, static_cast<float>(i)));
  }
  size_t used = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    CheckRight(*answers[i], static_cast<float>(i));
  }
  for (size_t place = 0; place < 3; ++place) {
    used += Rows(harness.recorder(place)) > 0 ? 1 : 0;
  }
  CHECK(used == 1);
}

// The rules of device faults, changed while devices run.
void SetFaults(const std::string& rules) { REQUIRE_OK(WriteFileAtomically("faults.json", rules)); }

DispatcherHarness::Options Faulty(int devices) {
  SetFaults("[]");
  DispatcherHarness::Options options{
      .devices = devices, .device_settings = R"("cores": 2, "faults_file": "faults.json")"};
  options.engine.recovery = {.first_pause = milliseconds(5), .longest_pause = milliseconds(20)};
  return options;
}

// One of three devices is lost under traffic and comes back: requests of which it had begun nothing
// are answered by the others, those that it had begun say why they were not; nobody waits, nobody
// is answered twice, and every answer is right.
TEST_CASE("A device that is lost costs only what it had begun") {
  DispatcherHarness harness(Faulty(3));
  const auto placement = DispatcherHarness::Single(harness.AddModel("m", ScaleAdd({1, 2})));
  CheckRight(*SendOne(harness, placement, 1), 1);
  // No model loads on it for a while, so that there is traffic while it is away.
  SetFaults(R"([{"device_lost": 507010, "device": 1, "task": "execute", "nth": 3},
                {"call": "aclmdlLoadFromMemWithMem", "code": 507899, "times": 3}])");
  std::vector<std::shared_ptr<Answer>> answers;
  const Instant patience = SteadyClock().Now() + std::chrono::seconds(30);
  while (harness.dispatcher().Serves(*placement) && SteadyClock().Now() < patience &&
         harness.dispatcher().engine(1).serves()) {
    for (int i = 0; i < 50; ++i) {
      answers.push_back(SendOne(harness, placement, static_cast<float>(answers.size())));
    }
    answers.back()->Get();
  }
  REQUIRE_FALSE(harness.dispatcher().engine(1).serves());
  CHECK(harness.dispatcher().Serves(*placement));
  const size_t before = answers.size();
  for (int i = 0; i < 50; ++i) {
    answers.push_back(SendOne(harness, placement, static_cast<float>(answers.size())));
  }
  size_t failed = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    if (answers[i]->Get().status.ok()) {
      CheckRight(*answers[i], static_cast<float>(i));
      continue;
    }
    ++failed;
    CHECK(i < before);
    CHECK(answers[i]->Get().status.code() == absl::StatusCode::kUnavailable);
  }
  // At most what two batches on its lane can hold.
  CHECK(failed <= 4);
  harness.recorder(1).AwaitIncident(Kind::kDeviceRecovered, 1);
  const size_t rows = Rows(harness.recorder(1));
  // It is told a moment before the device is chosen again. Many at once: one at a time, the others
  // may do them all.
  while (Rows(harness.recorder(1)) == rows && SteadyClock().Now() < patience) {
    std::vector<std::shared_ptr<Answer>> after;
    for (int i = 0; i < 50; ++i) {
      after.push_back(SendOne(harness, placement, 5));
    }
    for (const auto& answer : after) {
      CheckRight(*answer, 5);
    }
  }
  CHECK(Rows(harness.recorder(1)) > rows);
}

// Requests that wait in the queue of a device when it is lost go on elsewhere, and can be cancelled
// there by the ids they have.
TEST_CASE("Waiting requests move and can still be cancelled") {
  DispatcherHarness harness(Faulty(2));
  const auto waiting = harness.AddModel(
      "waits", ScaleAdd({1, 8}), {}, {.preferred_rows = {8}, .max_delay = std::chrono::hours(1)});
  const auto at_once = harness.AddModel("runs", ScaleAdd({1, 2}), {0});
  const auto placement = DispatcherHarness::Single(waiting);
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 4; ++i) {  // Two each, or nearly so.
    answers.push_back(SendOne(harness, placement, static_cast<float>(i)));
  }
  SetFaults(R"([{"device_lost": 507010, "device": 0, "task": "execute"}])");
  const auto other = DispatcherHarness::Single(at_once);
  const Instant patience = SteadyClock().Now() + std::chrono::seconds(30);
  while (SteadyClock().Now() < patience && SendOne(harness, other, 1)->Get().status.ok()) {
  }
  harness.recorder(0).AwaitIncident(Kind::kDeviceRecovered, 1);
  CHECK(harness.dispatcher().diverted_count() >= 1);
  CHECK(harness.dispatcher().diverted_count() <= 3);
  for (const auto& answer : answers) {
    CHECK_FALSE(answer->arrived());
    harness.dispatcher().CancelRequest(answer->id);
    CHECK(answer->Get().status.code() == absl::StatusCode::kCancelled);
  }
}

// A model of one device has nowhere to go: its requests are told so, as with one device alone.
TEST_CASE("A model of one lost device is refused with the cause") {
  DispatcherHarness harness(Faulty(2));
  const auto placement = DispatcherHarness::Single(harness.AddModel("m", ScaleAdd({1, 2}), {1}));
  SetFaults(R"([{"device_lost": 507010, "device": 1, "task": "execute"},
                {"call": "aclmdlLoadFromMemWithMem", "code": 507899, "times": 2}])");
  const Instant patience = SteadyClock().Now() + std::chrono::seconds(30);
  std::shared_ptr<Answer> answer = SendOne(harness, placement, 1);
  while (SteadyClock().Now() < patience && answer->Get().status.ok()) {
    answer = SendOne(harness, placement, 1);
  }
  CHECK_THAT(ErrorOf(*answer, absl::StatusCode::kUnavailable),
             Catch::Contains("device 1 is being recovered"));
  harness.recorder(1).AwaitIncident(Kind::kDeviceRecovered, 1);
  CheckRight(*SendOne(harness, placement, 1), 1);
  CHECK(harness.dispatcher().diverted_count() == 0);
}

}  // namespace
}  // namespace omserve::scheduler
