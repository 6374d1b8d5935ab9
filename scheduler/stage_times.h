// SPDX-License-Identifier: Apache-2.0
// Where the time of an answered request went: five stages that sum to its wall time. Pure.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string_view>

#include "runtime/base/clock.h"
#include "scheduler/core.h"
#include "scheduler/plan.h"

namespace omserve::scheduler {

enum class Stage {
  kQueue,    // Ready, and waiting for a batch, a lane, the batch ahead on it, or a worker.
  kInput,    // Copies to the device, and gathers on it.
  kCompute,  // Executions, and host steps.
  kOutput,   // Copies to the host.
  kOverhead  // Everything else that the server did or waited for: parsing, launching, being told.
};
inline constexpr size_t kStageCount = 5;
// "queue", "input", "compute", "output", "overhead".
std::string_view StageName(Stage stage);

struct StageTimes {
  std::array<Clock::duration, kStageCount> stages{};
  Clock::duration total{0};  // From received to answered, measured by itself.

  Clock::duration& operator[](Stage stage) { return stages[static_cast<size_t>(stage)]; }
  Clock::duration operator[](Stage stage) const { return stages[static_cast<size_t>(stage)]; }
  Clock::duration sum() const {
    return std::accumulate(stages.begin(), stages.end(), Clock::duration::zero());
  }
};

// When one step of a request ran. Of a step that ran in several batches, the one that ended last.
struct StepStamps {
  Instant begun;  // A device step's launch.
  Instant done;   // The device thread knew that it was over. Instant(): it did not run.
  // A host step's run on its worker.
  Instant work_start;
  Instant work_end;
  // A device step's, on the device's clock, microseconds; all 0 where the device cannot tell.
  uint64_t input_start_us = 0;
  uint64_t input_end_us = 0;
  uint64_t compute_start_us = 0;
  uint64_t compute_end_us = 0;
  uint64_t output_end_us = 0;

  bool ran() const { return done != Instant(); }
  bool timed() const { return output_end_us != 0; }
};

struct RequestSpan {
  Instant received;  // The front end had the whole message.
  Instant accepted;  // The device thread took the request up.
  Instant answered;
};

// Splits the request's time along its critical path: from the step that ended last, back through
// the producer that it waited for, to the start. What other branches did meanwhile counts for
// nothing. `steps` by plan node. Where one step was launched ahead behind another, the device's
// clock tells where the first ends and the second goes on; host and device clocks are never
// compared. A device that cannot tell times leaves input and output 0, and compute all of the time
// from launch to completion.
StageTimes AttributeStages(const Plan& plan, std::span<const StepStamps> steps,
                           const RequestSpan& span);

}  // namespace omserve::scheduler
