// SPDX-License-Identifier: Apache-2.0
// Devices that share a resource: their engines take turns, whatever happens to one of them.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "runtime/base/file.h"
#include "tests/scheduler/dispatcher_harness.h"
#include "tests/scheduler/scale_add.h"

namespace omserve::scheduler {
namespace {

using Answers = std::vector<std::shared_ptr<Answer>>;

constexpr char kTimed[] = R"("engine": "timed", "cores": 2, "timed": {"default_cost_us": 700})";

const InstanceLimit kGlobal{.needs = {{.name = "bus", .global = true}}};
const InstanceLimit kOfDevice{.needs = {{.name = "bus"}}};

Answers SendMany(DispatcherHarness& harness, const std::shared_ptr<const Placement>& placement,
                 int count) {
  Answers answers;
  for (int i = 0; i < count; ++i) {
    answers.push_back(harness.Submit(
        {.placement = placement, .inputs = {Ramp(1, static_cast<float>(i)), Ramp(1, 2)}}));
  }
  return answers;
}

void CheckAnswered(const Answers& answers) {
  for (const auto& answer : answers) {
    REQUIRE_OK(answer->Get().status);
  }
}

// How many batches were on the devices at once, from when one was about to be launched to when its
// end was known: all of it while its lane held what it needs.
int MostAtOnce(const DispatcherHarness& harness, int devices) {
  std::vector<std::pair<Instant, int>> edges;  // An end comes before a start of the same instant.
  for (int place = 0; place < devices; ++place) {
    for (const auto& [start, end] : harness.recorder(static_cast<size_t>(place)).runs()) {
      edges.emplace_back(start, 1);
      edges.emplace_back(end, -1);
    }
  }
  std::sort(edges.begin(), edges.end());
  int at_once = 0;
  int most = 0;
  for (const auto& [at, change] : edges) {
    at_once += change;
    most = std::max(most, at_once);
  }
  return most;
}

void CheckNothingHeld(const DispatcherHarness& harness) {
  for (const RateLimiter::Usage& usage : harness.dispatcher().rate_limiter().usage()) {
    CHECK(usage.held == 0);
  }
}

size_t Batches(const DispatcherHarness& harness, size_t place) {
  return harness.recorder(place).batches().size();
}

// One copy for all devices: never do two of them compute at once, and each has turns. Without the
// limit, or with a copy for each device, they do.
TEST_CASE("A global resource is held by one device at a time") {
  for (const auto& [limit, shared] :
       {std::pair(kGlobal, true), std::pair(kOfDevice, false), std::pair(InstanceLimit(), false)}) {
    CAPTURE(shared);
    DispatcherHarness harness({.devices = 2, .device_settings = kTimed});
    const auto placement =
        DispatcherHarness::Single(harness.AddModel("m", ScaleAdd({1, 2}), {}, {}, limit));
    CheckAnswered(SendMany(harness, placement, 120));
    CHECK((MostAtOnce(harness, 2) == 1) == shared);
    // How many requests each is given depends on who runs when, on a machine that others use too.
    CHECK(Batches(harness, 0) > 0);
    CHECK(Batches(harness, 1) > 0);
    for (const BatchRecord& batch : harness.recorder(0).batches()) {
      CHECK(batch.limited == !limit.needs.empty());
    }
    CheckNothingHeld(harness);
  }
}

// Two copies and three devices that need one each: two compute at once, and never three.
TEST_CASE("As many devices compute at once as there are copies") {
  DispatcherHarness harness(
      {.devices = 3, .device_settings = kTimed, .resources = {{"bus", 2, {}}}});
  const auto placement =
      DispatcherHarness::Single(harness.AddModel("m", ScaleAdd({1, 2}), {}, {}, kGlobal));
  CheckAnswered(SendMany(harness, placement, 180));
  CHECK(MostAtOnce(harness, 3) == 2);
  CheckNothingHeld(harness);
}

// Models of unlike priority on two devices, both with more to do than there are turns: the second
// gets half the turns of the first.
TEST_CASE("Priorities share out the turns among devices") {
  DispatcherHarness harness({.devices = 2, .device_settings = kTimed});
  InstanceLimit second = kGlobal;
  second.priority = 2;
  const auto often =
      DispatcherHarness::Single(harness.AddModel("often", ScaleAdd({1}), {0}, {}, kGlobal));
  const auto seldom =
      DispatcherHarness::Single(harness.AddModel("seldom", ScaleAdd({1}), {1}, {}, second));
  const Answers first_answers = SendMany(harness, often, 200);
  const Answers second_answers = SendMany(harness, seldom, 200);
  CheckAnswered(first_answers);
  CheckAnswered(second_answers);
  const Instant end = harness.recorder(0).runs().back().second;
  const auto runs = harness.recorder(1).runs();
  const auto meanwhile =
      std::count_if(runs.begin(), runs.end(), [end](const auto& run) { return run.first < end; });
  CHECK(meanwhile > 70);
  CHECK(meanwhile < 130);
  CHECK(MostAtOnce(harness, 2) == 1);
  CHECK(harness.recorder(1).batches().back().limited);
}

// Who is refused keeps nothing, and the one before it is served.
TEST_CASE("An instance that needs more than there is is not added") {
  DispatcherHarness harness({.devices = 1, .resources = {{"bus", 1, {}}}});
  const auto placement =
      DispatcherHarness::Single(harness.AddModel("m", ScaleAdd({1}), {}, {}, kGlobal));
  InstanceLimit greedy = kGlobal;
  greedy.needs.front().count = 2;
  CHECK_THAT(std::string(MessageOf(harness.dispatcher().rate_limiter().Check(0, greedy))),
             Catch::Contains("needs 2 of rate limiter resource 'bus', of which there are 1"));
  CheckAnswered(SendMany(harness, placement, 5));
}

// A device is lost while it holds the only copy, and cannot be recovered: the others go on.
TEST_CASE("A lost device keeps nobody from the resources that it held") {
  const std::string faults = "limits_faults.json";
  REQUIRE_OK(WriteFileAtomically(faults, "[]"));
  DispatcherHarness harness(
      {.devices = 2,
       .device_settings = std::string(kTimed) + R"(, "faults_file": ")" + faults + "\""});
  const auto placement =
      DispatcherHarness::Single(harness.AddModel("m", ScaleAdd({1, 2}), {}, {}, kGlobal));
  CheckAnswered(SendMany(harness, placement, 10));
  REQUIRE_OK(
      WriteFileAtomically(faults, R"([{"device_lost": 507010, "device": 0, "task": "execute"},
                  {"call": "aclmdlLoadFromMemWithMem", "code": 507899, "times": 2}])"));
  const Instant patience = SteadyClock().Now() + std::chrono::seconds(30);
  while (harness.dispatcher().engine(0).serves()) {
    REQUIRE(SteadyClock().Now() < patience);
    for (const auto& answer : SendMany(harness, placement, 20)) {
      answer->Get();
    }
  }
  CheckAnswered(
      SendMany(harness, placement, 40));  // All are answered, by the one that is left or both.
  harness.recorder(0).AwaitIncident(DeviceIncident::Kind::kDeviceRecovered, 1);
  CheckAnswered(SendMany(harness, placement, 80));
  CheckNothingHeld(harness);
}

// A stream hangs in its turn: what it held is free when the stream was stopped, and not before.
TEST_CASE("A lane that hangs gives its turn back when it was stopped") {
  DispatcherHarness harness(
      {.devices = 2,
       .device_settings =
           std::string(kTimed) +
           R"(, "faults": [{"task": "execute", "device": 0, "nth": 5, "hang": true}])",
       .engine = {.device_pool_bytes = size_t{8} << 20,
                  .core = {.run_budget = {.floor = std::chrono::milliseconds(100),
                                          .ceiling = std::chrono::milliseconds(200)}}}});
  const auto placement =
      DispatcherHarness::Single(harness.AddModel("m", ScaleAdd({1, 2}), {}, {}, kGlobal));
  size_t failed = 0;
  // The other device may compute nearly all for a while: only the fifth batch of this one hangs.
  for (int round = 0; round < 20 && failed == 0; ++round) {
    for (const auto& answer : SendMany(harness, placement, 100)) {
      failed += answer->Get().status.ok() ? 0 : 1;
    }
  }
  CHECK(failed >= 1);
  CHECK(failed < 50);  // One batch, if the machine is not too slow itself.
  harness.recorder(0).AwaitIncident(DeviceIncident::Kind::kLaneMended, 1);
  CheckAnswered(SendMany(harness, placement, 60));
  CHECK(MostAtOnce(harness, 2) == 1);  // What hung was over when it was stopped.
  CheckNothingHeld(harness);
}

}  // namespace
}  // namespace omserve::scheduler
