// SPDX-License-Identifier: Apache-2.0
// Outputs that the device puts where their client wants them.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/scheduler/scale_add.h"

namespace omserve::scheduler {
namespace {

constexpr int64_t kWide = 8192;  // A row is large enough to be copied by itself.

std::string WideModel() {
  return testing::ScaleAddModel({-1, kWide}, om::GearKind::kBatch, {{1}, {4}});
}

TestInput Wide(int rows, float value) {
  return Floats({rows, kWide}, std::vector<float>(static_cast<size_t>(rows * kWide), value));
}

std::vector<float> AllOf(int rows, float value) {
  return std::vector<float>(static_cast<size_t>(rows * kWide), value);
}

// Pinned memory that a client could have.
struct Room {
  Room(EngineHarness& harness, size_t size_bytes)
      : block(std::make_shared<memory::HostBlock>(VALUE(harness.pinned().Allocate(size_bytes)))) {}
  OutputPlace place() const { return {.bytes = block->bytes(), .owner = block}; }
  bool Holds(const ResponseOutput& output) const {
    return output.bytes.data() == block->bytes().data();
  }

  std::shared_ptr<memory::HostBlock> block;
};

// Alone in its batch: one output in its place, the other as ever.
TEST_CASE("An output is put into its place") {
  EngineHarness harness;
  const auto plan = BuildSingle(*harness.AddModel("m", WideModel()));
  const Room room(harness, kWide * 4);
  const auto answer = harness.Submit(
      {.plan = plan, .inputs = {Wide(1, 2), Wide(1, 3)}, .places = {{}, room.place()}});
  REQUIRE_OK(answer->Get().status);
  const std::vector<ResponseOutput>& outputs = answer->Get().outputs;
  CHECK(ToFloats(outputs[0]) == AllOf(1, 2 * kScale));
  CHECK(ToFloats(outputs[1]) == AllOf(1, 2 * kScale + 3));
  CHECK(room.Holds(outputs[1]));
  CHECK_FALSE(room.Holds(outputs[0]));
}

// One batch of three requests: two with places, of which one is too small, and one without.
TEST_CASE("Requests of one batch have places of their own") {
  EngineHarness harness;
  const auto plan = BuildSingle(*harness.AddModel("m", WideModel()));
  const auto small_plan = BuildSingle(*harness.AddModel("s", ScaleAdd({1})));
  const Room room(harness, 2 * kWide * 4);
  const Room too_small(harness, kWide * 4 - 1);
  Standstill still(harness, small_plan);
  const auto placed = harness.Submit({.plan = plan,
                                      .inputs = {Wide(2, 1), Wide(2, 10)},
                                      .rows = 2,
                                      .wanted = {1},
                                      .places = {room.place()}});
  const auto cramped = harness.Submit({.plan = plan,
                                       .inputs = {Wide(1, 2), Wide(1, 20)},
                                       .wanted = {1},
                                       .places = {too_small.place()}});
  const auto plain =
      harness.Submit({.plan = plan, .inputs = {Wide(1, 3), Wide(1, 30)}, .wanted = {1}});
  still.End();
  for (const auto& answer : {placed, cramped, plain}) {
    REQUIRE_OK(answer->Get().status);
  }
  harness.recorder().AwaitBatches(2);
  CHECK(harness.recorder().batches().back().rows == 4);
  CHECK(room.Holds(placed->Get().outputs[0]));
  CHECK(ToFloats(placed->Get().outputs[0]) == AllOf(2, kScale + 10));
  CHECK_FALSE(too_small.Holds(cramped->Get().outputs[0]));
  CHECK(ToFloats(cramped->Get().outputs[0]) == AllOf(1, 2 * kScale + 20));
  CHECK(ToFloats(plain->Get().outputs[0]) == AllOf(1, 3 * kScale + 30));
}

// Small rows of several requests leave in one copy; whoever asked for a place moves them.
TEST_CASE("Small rows of a batch go together") {
  EngineHarness harness;
  const auto plan = BuildSingle(*harness.AddModel("m", ScaleAdd({1, 4})));
  const Room room(harness, kWidth * 4);
  Standstill still(harness, plan);
  const auto placed = harness.Submit(
      {.plan = plan, .inputs = {Ramp(1, 1), Ramp(1, 2)}, .wanted = {1}, .places = {room.place()}});
  const auto plain =
      harness.Submit({.plan = plan, .inputs = {Ramp(1, 3), Ramp(1, 4)}, .wanted = {1}});
  still.End();
  REQUIRE_OK(placed->Get().status);
  CHECK(ToFloats(placed->Get().outputs[0]) == Summed(1, 1, 2));
  REQUIRE_OK(plain->Get().status);
  CHECK(ToFloats(plain->Get().outputs[0]) == Summed(1, 3, 4));
}

// A request in parts: each part's rows go to their place in it.
TEST_CASE("A request larger than a batch fills its place") {
  EngineHarness harness;
  const auto plan = BuildSingle(*harness.AddModel("m", WideModel()));
  const Room room(harness, 8 * kWide * 4);
  const auto answer = harness.Submit({.plan = plan,
                                      .inputs = {Wide(8, 1), Wide(8, 5)},
                                      .rows = 8,
                                      .wanted = {1},
                                      .places = {room.place()}});
  REQUIRE_OK(answer->Get().status);
  CHECK(room.Holds(answer->Get().outputs[0]));
  CHECK(ToFloats(answer->Get().outputs[0]) == AllOf(8, kScale + 5));
}

// Where host and device are one memory nothing is copied: the model reads and writes pinned memory
// itself. Rows that fill up a gear, and batches of several, are put together as ever.
TEST_CASE("One memory needs no copies") {
  EngineHarness harness({.device_settings = R"("run_mode": "device")"});
  const auto plan = BuildSingle(*harness.AddModel("m", WideModel()));
  const Room room(harness, 4 * kWide * 4);
  const auto sent = [&](int rows, float x, float y, const OutputPlace& place) {
    return harness.Submit({.plan = plan,
                           .inputs = {Wide(rows, x), Wide(rows, y)},
                           .rows = rows,
                           .wanted = {1},
                           .places = {place}});
  };
  const auto placed = sent(4, 1, 10, room.place());
  REQUIRE_OK(placed->Get().status);
  CHECK(room.Holds(placed->Get().outputs[0]));
  CHECK(ToFloats(placed->Get().outputs[0]) == AllOf(4, kScale + 10));
  const auto plain = sent(1, 2, 20, {});
  REQUIRE_OK(plain->Get().status);
  CHECK(ToFloats(plain->Get().outputs[0]) == AllOf(1, 2 * kScale + 20));
  const auto padded = sent(3, 3, 30, room.place());
  REQUIRE_OK(padded->Get().status);
  CHECK(ToFloats(padded->Get().outputs[0]) == AllOf(3, 3 * kScale + 30));
  harness.recorder().AwaitBatches(3);
  const std::vector<BatchRecord> batches = harness.recorder().batches();
  for (const size_t i : {size_t{0}, size_t{1}}) {
    CHECK(batches[i].input == Clock::duration::zero());
    CHECK(batches[i].output == Clock::duration::zero());
  }
}

// Where copies take longer than they save, the requests of a batch run one after the other where
// they lie: every copy would fail.
TEST_CASE("Requests of one memory run apart") {
  EngineHarness harness({.device_settings = R"("run_mode": "device",
                             "faults": [{"task": "copy", "code": 507011, "times": 0}])",
                         .engine = {.device_pool_bytes = size_t{32} << 20,
                                    .small_copy_bytes = 0,
                                    .copy_bytes_per_second = 1,
                                    .warm_up_runs = 1}});
  const auto plan = BuildSingle(*harness.AddModel("m", WideModel()));
  const auto small_plan = BuildSingle(*harness.AddModel("s", ScaleAdd({1})));
  const Room room(harness, kWide * 4);
  Standstill still(harness, small_plan);
  const auto placed = harness.Submit(
      {.plan = plan, .inputs = {Wide(1, 1), Wide(1, 10)}, .wanted = {1}, .places = {room.place()}});
  std::vector<std::shared_ptr<Answer>> plain;
  for (const float value : {2.0F, 3.0F}) {
    plain.push_back(
        harness.Submit({.plan = plan, .inputs = {Wide(1, value), Wide(1, 10 * value)}}));
  }
  still.End();
  REQUIRE_OK(placed->Get().status);
  CHECK(room.Holds(placed->Get().outputs[0]));
  CHECK(ToFloats(placed->Get().outputs[0]) == AllOf(1, kScale + 10));
  for (size_t i = 0; i < plain.size(); ++i) {
    const auto value = static_cast<float>(i + 2);
    REQUIRE_OK(plain[i]->Get().status);
    CHECK(ToFloats(plain[i]->Get().outputs[0]) == AllOf(1, value * kScale));
    CHECK(ToFloats(plain[i]->Get().outputs[1]) == AllOf(1, value * kScale + 10 * value));
  }
  harness.recorder().AwaitBatches(2);
  const BatchRecord batch = harness.recorder().batches().back();
  CHECK(batch.groups == 3);
  CHECK(batch.gear_rows == 3);
  CHECK(batch.padding_elements == 0);
}

// A step reads what the step before it has left in pinned memory.
TEST_CASE("Steps of one memory read each other's outputs") {
  EngineHarness harness({.device_settings = R"("run_mode": "device")"});
  const auto plan =
      TwoSteps(harness.AddModel("a", ScaleAdd({1, 4})), harness.AddModel("b", ScaleAdd({1, 2})));
  for (const int rows : {1, 2, 3, 4, 5}) {
    const auto answer =
        harness.Submit({.plan = plan, .inputs = {Ramp(rows, 1), Ramp(rows, 10)}, .rows = rows});
    REQUIRE_OK(answer->Get().status);
    CHECK(ToFloats(answer->Get().outputs[0]) == TwiceSummed(rows, 1, 10));
  }
}

}  // namespace
}  // namespace omserve::scheduler
