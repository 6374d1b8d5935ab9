// SPDX-License-Identifier: Apache-2.0
// The core when batches hang and the device is lost: what is answered, what waits, what comes back.
#include <catch2/catch.hpp>
#include <chrono>

#include "scheduler/run_budget.h"
#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

using std::chrono::milliseconds;

Core::Options Watched() {
  return {.batches_per_lane = 2,
          .run_budget = {.floor = milliseconds(10), .ceiling = milliseconds(100)}};
}

// Little is known: the ceiling. Then the longest of the last thousand, within floor and ceiling.
TEST_CASE("A run budget is the longest of the last thousand runs") {
  const RunBudgetOptions options = Watched().run_budget;
  RunBudget budget;
  CHECK(budget.Get(options) == milliseconds(100));
  for (int i = 0; i < 20; ++i) {
    budget.Record(milliseconds(1));
  }
  CHECK(budget.Get(options) == milliseconds(10));
  budget.Record(milliseconds(40));
  CHECK(budget.Get(options) == milliseconds(40));
  for (int i = 0; i < 800; ++i) {
    budget.Record(milliseconds(15));
  }
  CHECK(budget.Get(options) == milliseconds(40));
  for (int i = 0; i < 300; ++i) {
    budget.Record(milliseconds(15));
  }
  CHECK(budget.Get(options) == milliseconds(15));
  budget.Record(milliseconds(5000));
  CHECK(budget.Get(options) == milliseconds(100));
}

// The batch that hangs and the one behind it on the lane are answered; the rows that wait go to the
// lane when it is back.
TEST_CASE("A hung batch ends its lane's requests") {
  CoreHarness core(Watched());
  const auto plan = MakePlan({{core.Add({{1}})}});
  CHECK(core.Arrive(1, plan) == Lines{"b1 = s0.0 lane 0: r1.0x1, gear 1, full", "timer 200000us"});
  CHECK(core.Arrive(2, plan) == Lines{"b2 = s0.0 lane 0: r2.0x1, gear 1, full"});
  CHECK(core.Arrive(3, plan).empty());
  core.SetTime(milliseconds(199));
  CHECK(core.Timer() == Lines{"timer 200000us"});
  core.SetTime(milliseconds(200));
  CHECK(core.Timer() ==
        Lines{"abandon s0 lane 0: b1", "respond r1 lane hung", "respond r2 lane hung"});
  CHECK(core.Arrive(4, plan).empty());
  CHECK(core.Done(1, false) == Lines{"retire r1", "release b1"});
  CHECK(core.Done(2, false) == Lines{"retire r2", "release b2"});
  CHECK(core.LaneUp(0, 0) == Lines{"b3 = s0.0 lane 0: r3.0x1, gear 1, full",
                                   "b4 = s0.0 lane 0: r4.0x1, gear 1, full", "timer 400000us"});
}

// A batch that waits for another one's outputs does not run, so it does not hang with it.
TEST_CASE("A batch that waits for inputs is not taken as hung") {
  CoreHarness core(Watched());
  const auto* a = core.Add({{1}});
  const auto* b = core.Add({{1}});
  const auto plan = MakePlan({{a}, {b, {0}}});
  core.Arrive(1, plan);
  core.SetTime(milliseconds(150));
  core.Done(1);
  core.SetTime(milliseconds(340));
  CHECK(core.Timer() == Lines{"timer 350000us"});
  core.SetTime(milliseconds(350));
  CHECK(core.Timer() == Lines{"abandon s1 lane 0: b2", "respond r1 lane hung"});
}

// With another lane, rows go there.
TEST_CASE("Rows go to the lanes that serve") {
  CoreHarness core(Watched());
  const auto plan = MakePlan({{core.Add({{1}}, {.lanes = 2})}});
  core.Arrive(1, plan);
  core.SetTime(milliseconds(200));
  core.Timer();
  CHECK(core.Arrive(2, plan).front() == "b2 = s0.0 lane 1: r2.0x1, gear 1, full");
  CHECK(core.Arrive(3, plan).front() == "b3 = s0.0 lane 1: r3.0x1, gear 1, full");
  CHECK(core.Arrive(4, plan).empty());
}

// Waiting and running requests are answered, new ones refused, until the device is back.
TEST_CASE("A lost device answers everything") {
  CoreHarness core(Watched());
  const auto plan = MakePlan({{core.Add({{1}}, {.lanes = 1})}});
  for (RequestId id = 1; id <= 3; ++id) {
    core.Arrive(id, plan);
  }
  CHECK(core.DeviceLost() == Lines{"respond r1 device lost", "respond r2 device lost",
                                   "respond r3 device lost", "retire r3", "timer off"});
  CHECK(core.Arrive(4, plan) == Lines{"respond r4 refused DEVICE_LOST", "retire r4"});
  CHECK(core.Done(1, false) == Lines{"retire r1", "release b1"});
  CHECK(core.Done(2, false) == Lines{"retire r2", "release b2"});
  CHECK(core.DeviceBack().empty());
  CHECK(core.Arrive(5, plan).front() == "b3 = s0.0 lane 0: r5.0x1, gear 1, full");
}

}  // namespace
}  // namespace omserve::scheduler
