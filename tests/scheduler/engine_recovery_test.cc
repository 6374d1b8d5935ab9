// SPDX-License-Identifier: Apache-2.0
// The engine on a CPU device that fails, hangs and is lost on demand: every request is answered
// once, rightly or with the cause, and service comes back by itself.
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/file.h"
#include "scheduler/engine.h"
#include "tests/scheduler/scale_add.h"

namespace omserve::scheduler {
namespace {

using Kind = DeviceIncident::Kind;
using std::chrono::milliseconds;
using std::chrono::seconds;

// The file of fault rules of one test.
class Faults final {
 public:
  Faults() { Set("[]"); }
  // Takes effect with a call later than 50 ms from now at the latest.
  void Set(const std::string& rules) const {
    REQUIRE_OK(WriteFileAtomically("faults.json", rules));
  }
  static std::string Settings() { return "\"cores\": 2, \"faults_file\": \"faults.json\""; }
};

Engine::Options Watched(milliseconds floor, milliseconds ceiling) {
  Engine::Options options{.device_pool_bytes = size_t{32} << 20};
  options.core.run_budget = {.floor = floor, .ceiling = ceiling};
  options.recovery = {.first_pause = milliseconds(5), .longest_pause = milliseconds(20)};
  return options;
}

std::shared_ptr<Answer> SendOne(EngineHarness& harness, const std::shared_ptr<const Plan>& plan,
                                float x) {
  return harness.Submit({.plan = plan, .inputs = {Ramp(1, x), Ramp(1, 2)}});
}

void CheckServed(EngineHarness& harness, const std::shared_ptr<const Plan>& plan, float x) {
  const auto answer = SendOne(harness, plan, x);
  REQUIRE_OK(answer->Get().status);
  CHECK(ToFloats(answer->Get().outputs[1]) == Summed(1, x, 2));
}

// Sends until one is answered with an error, as the rules of the file have it by then.
absl::Status FirstFailure(EngineHarness& harness, const std::shared_ptr<const Plan>& plan) {
  const Instant patience = SteadyClock().Now() + seconds(30);
  while (SteadyClock().Now() < patience) {
    const auto answer = SendOne(harness, plan, 1);
    if (!answer->Get().status.ok()) {
      return answer->Get().status;
    }
  }
  FAIL("no request failed");
  return absl::OkStatus();
}

size_t Count(const EngineHarness& harness, Kind kind) {
  size_t count = 0;
  for (const DeviceIncident& incident : harness.recorder().incidents()) {
    count += incident.kind == kind ? 1 : 0;
  }
  return count;
}

size_t CountErrors(const EngineHarness& harness, int code) {
  size_t count = 0;
  for (const BatchRecord& batch : harness.recorder().batches()) {
    count += batch.device_error == code ? 1 : 0;
  }
  return count;
}

// Whatever call of a launch fails: that request has the cause, and the next one is served.
TEST_CASE("A failing call fails its batch alone") {
  // Loading a model sets each of its 2 gears once, for each of 2 instances.
  const std::vector<std::pair<std::string, int>> calls = {
      {"aclrtRecordEvent", 0},          {"aclrtMemcpyAsync", 0},   {"aclrtStreamWaitEvent", 0},
      {"aclmdlSetDynamicBatchSize", 4}, {"aclmdlExecuteAsync", 0}, {"aclrtLaunchCallback", 0}};
  for (const auto& [call, before] : calls) {
    for (const int nth : {before + 1, before + 2, before + 3, before + 4, before + 5}) {
      INFO(call << " " << nth);
      EngineHarness harness(
          {.device_settings = fmt::format(
               "\"faults\": [{{\"call\": \"{}\", \"nth\": {}, \"code\": 507899}}]", call, nth),
           .engine = Watched(milliseconds(500), seconds(10))});
      const auto plan =
          BuildSingle(*harness.AddModel("m", ScaleAdd({1, 2}), {.instances = 2, .batched = true}));
      std::vector<std::shared_ptr<Answer>> answers;
      for (int i = 0; i < 6; ++i) {
        answers.push_back(SendOne(harness, plan, static_cast<float>(i)));
      }
      size_t failed = 0;
      for (size_t i = 0; i < answers.size(); ++i) {
        const InferResponse& response = answers[i]->Get();
        if (response.status.ok()) {
          CHECK(ToFloats(response.outputs[1]) == Summed(1, static_cast<float>(i), 2));
        } else {
          ++failed;
          CHECK_THAT(std::string(MessageOf(response.status)), Catch::Contains("507899"));
        }
      }
      CHECK(failed < answers.size());
      // Where batches held several requests, the call that fails may still be to come.
      for (int i = 0; i < 6; ++i) {
        SendOne(harness, plan, 7)->Get();
      }
      CheckServed(harness, plan, 7);
      CHECK(Count(harness, Kind::kDeviceLost) == 0);
    }
  }
}

// Copies and executions that fail as tasks, now and then, on two lanes: each answer is right or
// says why, and afterwards all is well.
TEST_CASE("Failing tasks fail their batches and no more") {
  EngineHarness harness(
      {.device_settings =
           R"("cores": 2, "faults": [{"task": "execute", "nth": 5, "every": 7, "code": 507899},
                       {"task": "copy", "nth": 8, "every": 11, "times": 4, "code": 507013}])",
       .engine = Watched(milliseconds(500), seconds(10))});
  const auto plan =
      BuildSingle(*harness.AddModel("m", ScaleAdd({1, 2}), {.instances = 2, .batched = true}));
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 60; ++i) {
    answers.push_back(SendOne(harness, plan, static_cast<float>(i)));
  }
  size_t failed = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    const InferResponse& response = answers[i]->Get();
    if (response.status.ok()) {
      CHECK(ToFloats(response.outputs[1]) == Summed(1, static_cast<float>(i), 2));
    } else {
      ++failed;
      CHECK_THAT(std::string(MessageOf(response.status)), Catch::StartsWith("step 'm': "));
    }
  }
  CHECK(failed > 0);
  CHECK(failed < answers.size());
  CHECK(CountErrors(harness, 507899) + CountErrors(harness, 507013) > 0);
  CHECK(Count(harness, Kind::kLaneAbandoned) == 0);
}

// With a history of 20 runs the budget is the floor: a hang is noticed within twice that, the
// request is told, and with two lanes the other one serves on meanwhile.
TEST_CASE("A hung stream is given up and made anew") {
  const Faults faults;
  const int lanes = GENERATE(1, 2);
  INFO(lanes << " lanes");
  EngineHarness harness(
      {.device_settings = Faults::Settings(), .engine = Watched(milliseconds(250), seconds(10))});
  const auto plan =
      BuildSingle(*harness.AddModel("m", ScaleAdd({1}), {.instances = lanes, .batched = true}));
  for (int i = 0; i < 30; ++i) {
    CheckServed(harness, plan, static_cast<float>(i));
  }
  faults.Set(R"([{"task": "execute", "hang": true}])");
  const absl::Status failure = FirstFailure(harness, plan);
  CHECK(failure.code() == absl::StatusCode::kUnavailable);
  CHECK_THAT(std::string(MessageOf(failure)),
             Catch::Contains("the stream hung: a batch did not finish in"));
  const DeviceIncident abandoned = harness.AwaitIncident(Kind::kLaneAbandoned);
  CHECK(abandoned.requests == 1);
  for (int i = 0; i < 10; ++i) {
    CheckServed(harness, plan, static_cast<float>(i));  // With one lane they wait for its return.
  }
  harness.AwaitIncident(Kind::kLaneMended);
  CHECK(Count(harness, Kind::kDeviceLost) == 0);
}

// A pipeline whose second step was launched ahead, behind a first step that hangs: answered once.
TEST_CASE("Steps behind a hung one end with it") {
  const Faults faults;
  EngineHarness harness({.device_settings = Faults::Settings(),
                         .engine = Watched(milliseconds(100), milliseconds(150))});
  const auto plan =
      TwoSteps(harness.AddModel("a", ScaleAdd({1, 2})), harness.AddModel("b", ScaleAdd({1, 2})));
  faults.Set(R"([{"task": "execute", "nth": 2, "every": 7, "times": 2, "hang": true}])");
  std::vector<std::shared_ptr<Answer>> answers;
  for (int i = 0; i < 40; ++i) {
    answers.push_back(SendOne(harness, plan, static_cast<float>(i)));
    if (i % 8 == 0) {
      answers.back()->Get();
    }
  }
  for (size_t i = 0; i < answers.size(); ++i) {
    const InferResponse& response = answers[i]->Get();
    if (response.status.ok()) {
      CHECK(ToFloats(response.outputs[0]) == TwiceSummed(1, static_cast<float>(i), 2));
    } else {
      CHECK(response.status.code() == absl::StatusCode::kUnavailable);
    }
  }
}

// Slower than ever, but within twice the floor: let through. The other way round it is a hang.
TEST_CASE("A slow task is no false alarm") {
  EngineHarness harness(
      {.device_settings = R"("faults": [{"task": "execute", "nth": 31, "slow": 4.0}])",
       .engine = Watched(milliseconds(500), seconds(10))});
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1}), {.batched = true}));
  for (int i = 0; i < 40; ++i) {
    CheckServed(harness, plan, static_cast<float>(i));
  }
  CHECK(harness.recorder().incidents().empty());
}

// Once lost, everything in flight and everything that comes is answered at once; then the device is
// reset, models are loaded again, and the same plans serve.
TEST_CASE("A lost device is recovered") {
  const Faults faults;
  EngineHarness harness(
      {.device_settings = Faults::Settings(), .engine = Watched(milliseconds(500), seconds(10))});
  const auto plan = TwoSteps(harness.AddModel("a", ScaleAdd({1, 2}), {.instances = 2}),
                             harness.AddModel("b", ScaleAdd({1, 2})));
  // 507015 makes the device doubtful only: it is asked, and found lost.
  const int code = GENERATE(507010, 507015);
  // The last one is found by the launch itself, with part of the batch on the stream.
  for (const char* trigger : {"\"task\": \"execute\"", "\"call\": \"aclrtMemcpyAsync\"",
                              "\"task\": \"copy\", \"nth\": 3", "\"call\": \"aclrtRecordEvent\""}) {
    const size_t before = Count(harness, Kind::kDeviceRecovered);
    const size_t errors_before = CountErrors(harness, code);
    faults.Set(fmt::format("[{{\"device_lost\": {}, {}}}]", code, trigger));
    const absl::Status failure = FirstFailure(harness, plan);
    CHECK_THAT(std::string(MessageOf(failure)), Catch::Contains(std::to_string(code)));
    std::vector<std::shared_ptr<Answer>> answers;
    for (int i = 0; i < 20; ++i) {
      answers.push_back(SendOne(harness, plan, static_cast<float>(i)));
    }
    for (size_t i = 0; i < answers.size(); ++i) {
      const InferResponse& response = answers[i]->Get();
      if (response.status.ok()) {
        CHECK(ToFloats(response.outputs[0]) == TwiceSummed(1, static_cast<float>(i), 2));
      } else if (code == 507010) {
        CHECK(response.status.code() == absl::StatusCode::kUnavailable);
      }
    }
    const DeviceIncident recovered = harness.AwaitIncident(Kind::kDeviceRecovered, before + 1);
    CHECK(recovered.attempts >= 1);
    CHECK(CountErrors(harness, code) > errors_before);
    const auto answer = SendOne(harness, plan, 3);
    REQUIRE_OK(answer->Get().status);
    CHECK(ToFloats(answer->Get().outputs[0]) == TwiceSummed(1, 3, 2));
  }
  CHECK(Count(harness, Kind::kDeviceLost) == 4);
}

// What fails while the device is recovered is tried again; meanwhile requests are told at once.
TEST_CASE("Recovery is tried until it succeeds") {
  const Faults faults;
  EngineHarness harness(
      {.device_settings = Faults::Settings(), .engine = Watched(milliseconds(500), seconds(10))});
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1}), {.batched = true}));
  CheckServed(harness, plan, 1);
  faults.Set(R"([{"device_lost": 507010, "task": "execute"},
                 {"call": "aclmdlLoadFromMemWithMem", "code": 507899, "times": 2},
                 {"call": "aclrtCreateStream", "code": 507899}])");
  CHECK(FirstFailure(harness, plan).code() == absl::StatusCode::kUnavailable);
  const DeviceIncident recovered = harness.AwaitIncident(Kind::kDeviceRecovered);
  CHECK(recovered.attempts == 4);
  CHECK(Count(harness, Kind::kRecoveryFailed) == 3);
  CheckServed(harness, plan, 2);
}

// After the last attempt nothing more is tried; requests are told so at once, and the engine can
// still be ended.
TEST_CASE("Recovery is given up after the attempts allowed") {
  const Faults faults;
  Engine::Options options = Watched(milliseconds(500), seconds(10));
  options.recovery.attempts = 2;
  EngineHarness harness({.device_settings = Faults::Settings(), .engine = options});
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1}), {.batched = true}));
  faults.Set(R"([{"device_lost": 507010, "task": "execute"},
                 {"call": "aclrtCreateStream", "code": 507899, "times": 0}])");
  CHECK_FALSE(FirstFailure(harness, plan).ok());
  CHECK(harness.AwaitIncident(Kind::kRecoveryGivenUp).attempts == 2);
  CHECK_THAT(ErrorOf(*SendOne(harness, plan, 1), absl::StatusCode::kUnavailable),
             Catch::Contains("device 0 is being recovered"));
}

// A failure after which a device is often lost, but is not: it is asked, and serving goes on.
TEST_CASE("A doubtful device is asked before it is reset") {
  EngineHarness harness(
      {.device_settings =
           R"("faults": [{"task": "execute", "nth": 3, "times": 3, "code": 507015}])",
       .engine = Watched(milliseconds(500), seconds(10))});
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1}), {.batched = true}));
  for (int i = 0; i < 12; ++i) {
    const auto answer = SendOne(harness, plan, 1);
    CHECK(answer->Get().status.ok() == (i < 2 || i > 4));
  }
  CHECK(harness.recorder().incidents().empty());
}

// One device is lost; the engine on the other serves every request meanwhile.
TEST_CASE("Another device serves on") {
  const Faults faults;
  const auto runtime = VALUE(testing::TryOpenRuntime("\"device_count\": 2, " + Faults::Settings()));
  EngineHarness lost(
      {.engine = Watched(milliseconds(500), seconds(10)), .device = 0, .runtime = runtime.get()});
  EngineHarness other(
      {.engine = Watched(milliseconds(500), seconds(10)), .device = 1, .runtime = runtime.get()});
  const auto lost_plan = BuildSingle(*lost.AddModel("m", ScaleAdd({1}), {.batched = true}));
  const auto other_plan = BuildSingle(*other.AddModel("m", ScaleAdd({1}), {.batched = true}));
  faults.Set(R"([{"device_lost": 507010, "device": 0, "task": "any"}])");
  CHECK_FALSE(FirstFailure(lost, lost_plan).ok());
  for (int i = 0; i < 20; ++i) {
    CheckServed(other, other_plan, static_cast<float>(i));
  }
  lost.AwaitIncident(Kind::kDeviceRecovered);
  CheckServed(lost, lost_plan, 1);
  CHECK(other.recorder().incidents().empty());
}

// A hang and the loss of the device at the same time: one way or the other all is answered and
// comes back.
TEST_CASE("A device is lost while a lane hangs") {
  const Faults faults;
  EngineHarness harness({.device_settings = Faults::Settings(),
                         .engine = Watched(milliseconds(50), milliseconds(100))});
  const auto plan =
      BuildSingle(*harness.AddModel("m", ScaleAdd({1}), {.instances = 3, .batched = true}));
  faults.Set(R"([{"task": "execute", "nth": 1, "hang": true},
                 {"device_lost": 507010, "task": "execute", "nth": 4}])");
  std::vector<std::shared_ptr<Answer>> answers;
  const Instant end = SteadyClock().Now() + milliseconds(400);
  while (SteadyClock().Now() < end) {
    answers.push_back(SendOne(harness, plan, 1));
    answers.back()->Get();
  }
  harness.AwaitIncident(Kind::kDeviceRecovered);
  CheckServed(harness, plan, 1);
}

}  // namespace
}  // namespace omserve::scheduler
