// SPDX-License-Identifier: Apache-2.0
#include "scheduler/route.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace omserve::scheduler {
namespace {

constexpr int64_t kMs = 1'000'000;

// Steps of one subgraph each, with the producers of each.
class TestPlan final {
 public:
  explicit TestPlan(const std::vector<std::vector<int>>& producers) {
    subgraphs_.resize(producers.size());
    for (size_t n = 0; n < producers.size(); ++n) {
      plan_.nodes.push_back({.subgraph = &subgraphs_[n], .producers = producers[n]});
    }
  }
  const Plan& get() const { return plan_; }

 private:
  std::vector<Subgraph> subgraphs_;
  Plan plan_;
};

// A device whose steps have these rows ahead, all of the same cost.
DeviceLoad Device(int place, const std::vector<int64_t>& rows, int64_t row_ns = kMs,
                  int64_t request_count = 0) {
  DeviceLoad load{.place = place, .request_count = request_count};
  for (const int64_t ahead : rows) {
    load.steps.push_back({.rows_ahead = ahead, .row_ns = row_ns, .batch_ns = 2 * row_ns});
  }
  return load;
}

size_t Choose(const TestPlan& plan, DeviceLoads devices, uint64_t turn = 0) {
  return ChooseDevice(plan.get(), devices, turn);
}

// The rows ahead are shared by the lanes; then comes the batch itself.
TEST_CASE("A step ends after what waits before it") {
  const TestPlan single(std::vector<std::vector<int>>(1));
  CHECK(PredictFinishNs(single.get(), Device(0, {10})) == 12 * kMs);
  DeviceLoad busy = Device(0, {10});
  busy.steps[0].wait_ns = 5 * kMs;  // For what was taken up before those ten were sent.
  CHECK(PredictFinishNs(single.get(), busy) == 17 * kMs);
  DeviceLoad two_lanes = Device(0, {10});
  two_lanes.steps[0].lane_count = 2;
  CHECK(PredictFinishNs(single.get(), two_lanes) == 7 * kMs);
}

// Branches run beside each other, and a step that waits for its inputs waits in its queue
// meanwhile.
TEST_CASE("A pipeline ends after its slowest way") {
  const TestPlan diamond({{}, {}, {0, 1}});
  CHECK(PredictFinishNs(diamond.get(), Device(0, {10, 0, 0})) == 14 * kMs);
  CHECK(PredictFinishNs(diamond.get(), Device(0, {0, 0, 5})) == 7 * kMs);
  CHECK(PredictFinishNs(diamond.get(), Device(0, {0, 0, 1})) == 4 * kMs);
}

// A host step takes no time of a device.
TEST_CASE("Host steps are free") {
  Plan plan;
  plan.nodes.push_back({.name = "decode"});
  CHECK(PredictFinishNs(plan, {.place = 0, .steps = {{}}}) == 0);
}

TEST_CASE("The device that finishes first is chosen") {
  const TestPlan single(std::vector<std::vector<int>>(1));
  CHECK(Choose(single, {Device(0, {3}), Device(1, {1}), Device(2, {2})}) == 1);
  // Fewer rows, but slower ones.
  CHECK(Choose(single, {Device(0, {4}), Device(1, {3}, 2 * kMs)}) == 0);
}

// What else a device does is no reason to wait longer in this queue; among equals it decides.
TEST_CASE("Other requests decide among equals only") {
  const TestPlan single(std::vector<std::vector<int>>(1));
  CHECK(Choose(single, {Device(0, {0}, kMs, 900), Device(1, {1}, kMs, 0)}) == 0);
  CHECK(Choose(single, {Device(0, {1}, kMs, 900), Device(1, {1}, kMs, 0)}) == 1);
}

// A slow device gets less, but never so little that it could not show that it is fast again.
TEST_CASE("No device counts as more than twice as slow") {
  const TestPlan single(std::vector<std::vector<int>>(1));
  CHECK(Choose(single, {Device(0, {6}), Device(1, {3}, 50 * kMs)}) == 0);
  CHECK(Choose(single, {Device(0, {8}), Device(1, {2}, 50 * kMs)}) == 1);
}

// Nobody knows times to the last digit.
TEST_CASE("Devices that are about as fast share the work") {
  const TestPlan single(std::vector<std::vector<int>>(1));
  const DeviceLoads devices = {Device(0, {0}, kMs), Device(1, {0}, kMs + kMs / 10)};
  CHECK(Choose(single, devices, 0) == 0);
  CHECK(Choose(single, devices, 1) == 1);
}

TEST_CASE("Equal devices take turns") {
  const TestPlan single(std::vector<std::vector<int>>(1));
  const DeviceLoads equal = {Device(0, {0}), Device(1, {0}), Device(2, {0})};
  for (uint64_t turn = 0; turn < 6; ++turn) {
    CHECK(Choose(single, equal, turn) == turn % 3);
  }
}

// A device that has not run the model yet is judged by those that have; where nobody has, rows
// count.
TEST_CASE("What one device has not measured is taken from the others") {
  const TestPlan single(std::vector<std::vector<int>>(1));
  CHECK(Choose(single, {Device(0, {3}), Device(1, {4}, 0)}) == 0);
  CHECK(Choose(single, {Device(0, {5}), Device(1, {4}, 0)}) == 1);
  CHECK(Choose(single, {Device(0, {5}, 0), Device(1, {4}, 0)}) == 1);
}

// Each request counts from when it was sent, so a burst is spread although no device has told
// anything new.
TEST_CASE("A burst is spread over all devices") {
  const TestPlan single(std::vector<std::vector<int>>(1));
  DeviceLoads devices;
  for (int place = 0; place < 8; ++place) {
    devices.push_back(Device(place, {0}));
  }
  for (uint64_t turn = 0; turn < 80; ++turn) {
    ++devices[Choose(single, devices, turn)].steps[0].rows_ahead;
  }
  for (const DeviceLoad& device : devices) {
    CHECK(device.steps[0].rows_ahead == 10);
  }
}

}  // namespace
}  // namespace omserve::scheduler
