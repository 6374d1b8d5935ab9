// SPDX-License-Identifier: Apache-2.0
// What the engine tells of itself, for statistics and metrics.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "scheduler/batch_policy.h"
#include "scheduler/core.h"
#include "scheduler/plan.h"

namespace omserve::scheduler {

// One batch, finished. Durations are 0 where the device cannot tell.
struct BatchRecord {
  const Subgraph* subgraph = nullptr;
  int lane = 0;
  int rows = 0;
  int groups = 0;       // Requests in it,
  int step_groups = 0;  // of which these came as a step of a pipeline.
  int gear_rows = 0;
  ReleaseReason reason = ReleaseReason::kIdle;
  bool ok = true;
  Clock::duration total_queued{0};  // Sum over its groups.
  Clock::duration input{0};         // Copies to the device and gathers.
  Clock::duration compute{0};
  Clock::duration output{0};  // Copies to the host.
};

// One request, answered.
struct RequestRecord {
  const Plan* plan = nullptr;
  int rows = 0;
  Outcome outcome = Outcome::kOk;
  absl::StatusCode code = absl::StatusCode::kOk;
  Clock::duration total{0};  // From Submit to the answer.
};

// Called on the device thread; must not block.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void OnBatch(const BatchRecord& record) = 0;
  virtual void OnRequest(const RequestRecord& record) = 0;
};

}  // namespace omserve::scheduler
