// SPDX-License-Identifier: Apache-2.0
// Which device a request goes to: the one where its plan is predicted to finish first. Pure.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/container/inlined_vector.h"
#include "scheduler/plan.h"

namespace omserve::scheduler {

// A plan's step on one device. Host steps: all 0.
struct StepLoad {
  int64_t wait_ns = 0;     // Until a lane is free of what the device has taken up.
  int64_t rows_ahead = 0;  // Rows submitted before that are not in that.
  int64_t row_ns = 0;      // Device time of a row; 0 not known.
  int64_t batch_ns = 0;    // Device time of a batch; 0 not known.
  int64_t lane_count = 1;
};

struct DeviceLoad {
  int place = 0;                           // Of the device, for the answer.
  int64_t request_count = 0;               // All that the device has accepted, of this plan or not.
  absl::InlinedVector<StepLoad, 8> steps;  // By node of the plan.
};
using DeviceLoads = absl::InlinedVector<DeviceLoad, 8>;

// Until when a request of this plan that is submitted now runs, in nanoseconds from now: each step
// waits for its inputs and for what is ahead of it on the lanes of its subgraph. What other
// subgraphs have to do does not count: their lanes are theirs.
int64_t PredictFinishNs(const Plan& plan, const DeviceLoad& device);

// Index into `devices` of the one with the earliest predicted finish; of those that differ by less
// than an eighth the one with the fewest requests, and of these one after the other as `turn`
// counts up. A time that a device has not measured is that of the fastest that has, and none counts
// as more than twice that: else a device that was slow once would be given nothing to show that it
// no longer is. Where no device has measured a step its rows count alike. What a device took up
// before it had measured anything is no part of its wait. Requires one device or more, each with
// one entry for each node. Changes the times in place.
size_t ChooseDevice(const Plan& plan, DeviceLoads& devices, uint64_t turn);

}  // namespace omserve::scheduler
