// SPDX-License-Identifier: Apache-2.0
// What the engine tells of itself, for statistics and metrics.
#pragma once

#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "scheduler/batch_policy.h"
#include "scheduler/core.h"
#include "scheduler/plan.h"
#include "scheduler/stage_times.h"

namespace omserve::scheduler {

// One batch, finished. Durations are 0 where the device cannot tell.
struct BatchRecord {
  const Subgraph* subgraph = nullptr;
  int lane = 0;
  int rows = 0;
  int groups = 0;       // Requests in it,
  int step_groups = 0;  // of which these came as a step of a pipeline.
  int gear_rows = 0;
  // Elements of its inputs at its gear, and how many of these only fill: rows up to the gear, and
  // rows that were padded up to a compiled length.
  int64_t input_elements = 0;
  int64_t padding_elements = 0;
  ReleaseReason reason = ReleaseReason::kIdle;
  Instant launched;  // By the host's clock, like the time at which this is told.
  bool ok = true;
  int device_error = 0;             // AscendCL's number where the device failed it; else 0.
  Clock::duration total_queued{0};  // Sum over its groups.
  bool limited = false;             // Its lane shares resources, and had to wait so long for them.
  Clock::duration turn_wait{0};
  Clock::duration input{0};  // Copies to the device and gathers.
  Clock::duration compute{0};
  Clock::duration output{0};  // Copies to the host.
};

// One request, answered.
struct RequestRecord {
  const Plan* plan = nullptr;
  int rows = 0;
  Outcome outcome = Outcome::kOk;
  absl::StatusCode code = absl::StatusCode::kOk;
  StageTimes stages;                     // Only the total unless the outcome is kOk.
  std::optional<RefusalReason> refusal;  // When it was refused.
  bool ran = false;                      // Something of it was launched.
  std::string_view trace_id = {};        // Empty: it is of no trace.
};

// What happened to a lane or the device, apart from its batches.
struct DeviceIncident {
  enum class Kind {
    kLaneAbandoned,    // A batch hung, or the lane took no more work.
    kLaneMended,       // It is in service again.
    kDeviceLost,       // Nothing is served until kDeviceRecovered.
    kRecoveryFailed,   // Attempt number `attempts`; another follows.
    kRecoveryGivenUp,  // The last attempt that is allowed failed.
    kDeviceRecovered,
  };
  Kind kind = Kind::kLaneAbandoned;
  int device = 0;
  const Subgraph* subgraph = nullptr;  // Of a lane.
  int lane = -1;
  size_t requests = 0;  // Answered because of it, or, for a device, that it had.
  int attempts = 0;
  Clock::duration took{0};  // From the failure to the end of its repair.
  absl::Status cause;
};

// How fast two subgraphs of a device were measured to compute beside each other, and what follows;
// see pair_table.h.
struct PairRecord {
  int device = 0;
  const Subgraph* a = nullptr;
  const Subgraph* b = nullptr;
  double speed_a = 1;
  double speed_b = 1;
  bool apart = false;
};

// Called on the device thread; must not block.
class Observer {
 public:
  virtual ~Observer() = default;
  virtual void OnBatch(const BatchRecord& record) = 0;
  virtual void OnRequest(const RequestRecord& record) = 0;
  virtual void OnIncident(const DeviceIncident& incident) = 0;
  virtual void OnPair(const PairRecord& record) = 0;
};

}  // namespace omserve::scheduler
