// SPDX-License-Identifier: Apache-2.0
// The engine's models that go while others serve: requests in flight end well, later ones are
// refused, and memory is as it was.
#include <catch2/catch.hpp>
#include <cstddef>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/thread.h"
#include "scheduler/engine.h"
#include "tests/scheduler/scale_add.h"

namespace omserve::scheduler {
namespace {

size_t FreeBytes(const EngineHarness& harness) {
  REQUIRE_OK(harness.device().Bind());
  return VALUE(harness.device().memory()).free_bytes;
}

size_t PoolBytes(EngineHarness& harness) { return harness.engine().load().device_pool_used; }

void CheckAnswer(EngineHarness& harness, const std::shared_ptr<const Plan>& plan, float x) {
  const auto answer = harness.Submit({.plan = plan, .inputs = {Ramp(1, x), Ramp(1, 2)}});
  REQUIRE_OK(answer->Get().status);
  CHECK(ToFloats(answer->Get().outputs.back()) == Summed(1, x, 2));
}

// A thousand loads and unloads beside a model that serves: the pool's bytes and the device's are as
// they were, the place is used again, and every model answers rightly while it is there.
TEST_CASE("A thousand models come and go without a trace") {
  EngineHarness harness;
  const auto stays = BuildSingle(*harness.AddModel("stays", ScaleAdd({1, 2})));
  const std::vector<std::string> files = {ScaleAdd({1}), ScaleAdd({1, 2, 4}), ScaleAdd({4})};
  const auto cycle = [&](int i) {
    const Subgraph* subgraph =
        harness.AddModel("comes", files[static_cast<size_t>(i) % files.size()],
                         {.instances = 1 + i % 2, .batched = true});
    CHECK(subgraph->index == 1);
    if (i % 10 == 0) {
      CheckAnswer(harness, BuildSingle(*subgraph), static_cast<float>(i % 7));
      CheckAnswer(harness, stays, static_cast<float>(i % 5));
    }
    harness.RemoveModel(subgraph);
  };
  cycle(0);
  CheckAnswer(harness, stays, 1);
  const size_t free_bytes = FreeBytes(harness);
  const size_t pool_bytes = PoolBytes(harness);
  for (int i = 1; i <= 1000; ++i) {
    cycle(i);
  }
  CheckAnswer(harness, stays, 1);
  CHECK(FreeBytes(harness) == free_bytes);
  CHECK(PoolBytes(harness) == pool_bytes);
  CHECK(harness.engine().load().output_bytes.size() == 2);
  CHECK(harness.engine().load().output_bytes[1] == 0);
}

// Whoever removes a model waits for what was accepted, and all of it is answered well.
TEST_CASE("Requests in flight are answered before their model goes") {
  EngineHarness harness;
  const auto stays = BuildSingle(*harness.AddModel("stays", ScaleAdd({1})));
  const Subgraph* goes = harness.AddModel("goes", ScaleAdd({1, 4}));
  const auto plan = BuildSingle(*goes);
  std::vector<std::shared_ptr<Answer>> before;
  absl::Status removed;
  std::jthread remover;
  {
    Standstill still(harness, stays);  // The device thread takes up all of this in one turn.
    for (int i = 0; i < 40; ++i) {
      before.push_back(
          harness.Submit({.plan = plan, .inputs = {Ramp(1, static_cast<float>(i)), Ramp(1, 2)}}));
    }
    std::latch began{1};
    remover = StartThread("remover", [&] {
      began.count_down();
      removed = harness.TryToRemoveModel(goes);
    });
    began.wait();
    still.End();
  }
  for (int i = 0; i < 40; ++i) {
    REQUIRE_OK(before[static_cast<size_t>(i)]->Get().status);
    CHECK(ToFloats(before[static_cast<size_t>(i)]->Get().outputs.back()) ==
          Summed(1, static_cast<float>(i), 2));
  }
  remover.join();
  REQUIRE_OK(removed);
  CheckAnswer(harness, stays, 3);
}

// The memory that a pipeline needs between its steps comes and goes with it; while another one
// needs as much, it stays.
TEST_CASE("A pipeline's memory goes with it") {
  EngineHarness harness;
  const Subgraph* first = harness.AddModel("first", ScaleAdd({1, 2}));
  const Subgraph* second = harness.AddModel("second", ScaleAdd({1, 2}));
  CheckAnswer(harness, BuildSingle(*first), 1);
  CheckAnswer(harness, BuildSingle(*second), 1);
  const size_t alone = PoolBytes(harness);
  const auto answer = [&](const std::shared_ptr<const Plan>& plan) {
    const auto made = harness.Submit({.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 2)}});
    REQUIRE_OK(made->Get().status);
    CHECK(ToFloats(made->Get().outputs.back()) == TwiceSummed(1, 1, 2));
  };
  for (int round = 0; round < 3; ++round) {
    const auto one = TwoSteps(first, second);
    const auto two = TwoSteps(first, second);
    answer(one);
    const size_t with_one = PoolBytes(harness);
    CHECK(with_one > alone);
    answer(two);
    CHECK(PoolBytes(harness) == with_one);
    harness.RemovePlan(one);
    answer(two);
    CHECK(PoolBytes(harness) == with_one);
    harness.RemovePlan(two);
    CheckAnswer(harness, BuildSingle(*first), 1);
    CHECK(PoolBytes(harness) == alone);
  }
}

// The device is lost under a model that is to go: who waits for its end waits for the device.
TEST_CASE("A model that a device lost goes when the device is back") {
  EngineHarness harness(
      {.device_settings = R"("faults": [{"device_lost": 507010, "task": "execute", "nth": 2}])"});
  const Subgraph* stays = harness.AddModel("stays", ScaleAdd({1}));
  const Subgraph* goes = harness.AddModel("goes", ScaleAdd({1}));
  CheckAnswer(harness, BuildSingle(*goes), 1);
  CHECK_FALSE(harness.Submit({.plan = BuildSingle(*goes), .inputs = {Ramp(1, 1), Ramp(1, 2)}})
                  ->Get()
                  .status.ok());
  harness.RemoveModel(goes);
  harness.AwaitIncident(DeviceIncident::Kind::kDeviceRecovered);
  CheckAnswer(harness, BuildSingle(*stays), 2);
}

// An engine that was drained keeps what it has to its end.
TEST_CASE("Nobody waits for a model of an engine that was drained") {
  EngineHarness harness;
  const Subgraph* subgraph = harness.AddModel("m", ScaleAdd({1}));
  REQUIRE_OK(harness.engine().Drain(Instant::max()));
  const absl::Status kept = harness.engine().RemoveSubgraph(*subgraph);
  CHECK((kept.ok() || kept.code() == absl::StatusCode::kUnavailable));
}

}  // namespace
}  // namespace omserve::scheduler
