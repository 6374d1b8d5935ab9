// SPDX-License-Identifier: Apache-2.0
#include "scheduler/route.h"

#include <algorithm>

#include "runtime/base/check.h"

namespace omserve::scheduler {
namespace {

// Stands for a time that no device has measured: it makes rows count, and does not outweigh a step
// that was measured.
constexpr int64_t kUnknownNs = 1000;
// A device counts as slower than the fastest by this factor at most. Its times may be old, or those
// of a first run, and only what it is given corrects them.
constexpr int64_t kSlowest = 2;
// Finishes that differ by less than an eighth are as good as equal: times are known no better, and
// without it one of several idle devices would get everything.
constexpr int64_t kSameFinish = 8;

// The least of the known times; 0 when none is known.
int64_t LeastKnown(const DeviceLoads& devices, size_t node, int64_t StepLoad::*time) {
  int64_t least = 0;
  for (const DeviceLoad& device : devices) {
    const int64_t ns = device.steps[node].*time;
    least = ns > 0 && (least == 0 || ns < least) ? ns : least;
  }
  return least;
}

// See ChooseDevice.
void MakeComparable(size_t node, int64_t StepLoad::*time, DeviceLoads& devices) {
  const int64_t least = LeastKnown(devices, node, time);
  for (DeviceLoad& device : devices) {
    int64_t& ns = device.steps[node].*time;
    if (least == 0) {
      ns = kUnknownNs;
    } else {
      ns = ns == 0 ? least : std::min(ns, kSlowest * least);
    }
  }
}

}  // namespace

int64_t PredictFinishNs(const Plan& plan, const DeviceLoad& device) {
  OMSERVE_DCHECK(device.steps.size() == plan.nodes.size(), "a load for each node");
  absl::InlinedVector<int64_t, 8> finish(plan.nodes.size(), 0);
  int64_t last = 0;
  for (size_t n = 0; n < plan.nodes.size(); ++n) {
    const PlanNode& node = plan.nodes[n];
    int64_t start = 0;
    for (const int producer : node.producers) {  // Stand before their consumers.
      start = std::max(start, finish[static_cast<size_t>(producer)]);
    }
    if (node.on_device()) {
      const StepLoad& step = device.steps[n];
      const int64_t lanes = std::max<int64_t>(1, step.lane_count);
      const int64_t ahead_ns = step.wait_ns + step.rows_ahead * step.row_ns / lanes;
      start = std::max(start, ahead_ns) + step.batch_ns;
    }
    finish[n] = start;
    last = std::max(last, start);
  }
  return last;
}

size_t ChooseDevice(const Plan& plan, DeviceLoads& devices, uint64_t turn) {
  OMSERVE_DCHECK(!devices.empty(), "there is a device to choose");
  for (size_t n = 0; n < plan.nodes.size(); ++n) {
    MakeComparable(n, &StepLoad::row_ns, devices);
    MakeComparable(n, &StepLoad::batch_ns, devices);
  }
  absl::InlinedVector<int64_t, 8> finish;
  for (const DeviceLoad& device : devices) {
    finish.push_back(PredictFinishNs(plan, device));
  }
  const int64_t earliest = *std::min_element(finish.begin(), finish.end());
  size_t best = devices.size();
  for (size_t i = 0; i < devices.size(); ++i) {
    const auto at = static_cast<size_t>((turn + i) % devices.size());
    if (finish[at] <= earliest + earliest / kSameFinish &&
        (best == devices.size() || devices[at].request_count < devices[best].request_count)) {
      best = at;
    }
  }
  return best;
}

}  // namespace omserve::scheduler
