// SPDX-License-Identifier: Apache-2.0
// What the core is told, and what it says is to be done: its events and commands.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <variant>
#include <vector>

#include "runtime/base/clock.h"
#include "scheduler/batch_policy.h"
#include "scheduler/ids.h"
#include "scheduler/pair_table.h"
#include "scheduler/plan.h"
#include "scheduler/refusal.h"
#include "scheduler/sequence.h"

namespace omserve::scheduler {

// How a request ends.
enum class Outcome {
  kOk,
  kFailed,  // A batch or host step of it failed; the engine knows the Status.
  kCancelled,
  kDeadlineExceeded,    // Its deadline came.
  kDropped,             // A step of it was about to be launched, too late for its deadline.
  kRefused,             // On arrival, for lack of time or room; nothing of it ever runs.
  kLaneHung,            // A batch of it was on a lane that was abandoned.
  kDeviceLost,          // The device was lost while it was there.
  kSequenceNotStarted,  // On arrival: it does not say START, and its sequence is not open.
  kSequenceEnded,       // An earlier request of its sequence was lost, and the sequence with it.
};
inline constexpr int kOutcomeCount = 10;

// One request's share of a batch: `rows` rows of step `node`.
struct RowGroup {
  RequestId request = 0;
  int node = 0;
  int rows = 1;
  int row = 0;    // Where the first of them stands in the batch.
  int slot = -1;  // Of its sequence on the batch's lane; -1 where there are no sequences.
};

// Events.
struct Arrive {
  RequestId request = 0;
  std::shared_ptr<const Plan> plan;
  std::vector<int> buckets;  // Per node, from Plan::ResolveBuckets.
  int rows = 1;
  uint64_t priority = 1;  // 1 is the highest.
  Instant deadline = Instant::max();
  // From then on its rows go behind all others of their priority.
  Instant delay_at = Instant::max();
  SequenceTurn sequence;   // Given when a step's subgraph keeps sequences.
  size_t input_bytes = 0;  // Pinned memory that its inputs hold.
};
// Parts of one request that is larger than its gears: requests of their own that are accepted or
// refused as one. All have the same plan, buckets, priority, deadline and delay_at.
struct ArriveTogether {
  std::vector<Arrive> parts;
};
struct Cancel {
  RequestId request = 0;
};
struct BatchDone {
  BatchId batch = 0;
  bool ok = true;
  Clock::duration device_time{0};  // What the batch cost; 0 when not known.
};
struct HostStepDone {
  RequestId request = 0;
  int node = 0;
  bool ok = true;
};
// What LookUp asked for: the outputs of the step are known from before, or they are not.
struct LookedUp {
  RequestId request = 0;
  int node = 0;
  bool hit = false;
};
struct TimerFired {};
struct Hurry {};  // Nothing waits for company from now on.
struct Drain {};  // Arrivals are refused from now on; what was accepted hurries.
// A lane takes no more work, though no batch of it was seen to hang: it is abandoned.
struct LaneStuck {
  int subgraph = 0;
  int lane = 0;
};
// An abandoned lane is in service again. Requires BatchDone of all that was on it.
struct LaneUp {
  int subgraph = 0;
  int lane = 0;
};
struct DeviceLost {};  // Every lane is out of service, and every request is answered.
struct DeviceBack {};  // Every lane is in service. Requires BatchDone of all batches.
// A limited lane has the resources that AskTurn with this ticket asked for. Ignored when they were
// given back since.
struct TurnGranted {
  int subgraph = 0;
  int lane = 0;
  uint64_t ticket = 0;
  bool waited = false;  // They were not free when it asked.
};
// The subgraph is to go: requests for it are refused from now on, and Unloaded follows when those
// that were accepted are retired, its lanes serve and the device is not lost.
struct Unload {
  int subgraph = 0;
};
using Event =
    std::variant<Arrive, Cancel, BatchDone, HostStepDone, TimerFired, Drain, LaneUp, DeviceLost,
                 DeviceBack, LaneStuck, ArriveTogether, LookedUp, TurnGranted, Unload, Hurry>;

// In place of an output set: the arena (core_memory.cc).
inline constexpr int kArena = -1;

// Commands, to be obeyed in order.
struct Launch {
  BatchId batch = 0;
  int subgraph = 0;
  int bucket = 0;
  int lane = 0;
  BatchGear gear;
  // In the order in which they stand in the batch: one after the other, but for sequences that have
  // rows to themselves, where a row of a sequence that has nothing to do is left out.
  std::vector<RowGroup> rows;
  int row_count = 0;  // Up to the last row that is taken.
  // Which of the subgraph's output sets the batch writes; it has it until Release. kArena: the
  // arena, at the plan's place for the batch's only row group.
  int output_set = 0;
  ReleaseReason reason = ReleaseReason::kIdle;
  Instant oldest_queued;            // When the batch's oldest row was queued.
  Clock::duration total_queued{0};  // Sum of its row groups' times in the queue.
  bool limited = false;             // Its lane shares resources, and had to wait so long for them.
  Clock::duration turn_wait{0};
};
struct StartHostStep {
  RequestId request = 0;
  int node = 0;
};
// See whether the outputs of this device step are known for these inputs, and tell LookedUp.
struct LookUp {
  RequestId request = 0;
  int node = 0;
};
// The request is over for its client.
struct Respond {
  RequestId request = 0;
  Outcome outcome = Outcome::kOk;
  Refusal refusal = {};        // When refused.
  Clock::duration late_by{0};  // When dropped, or refused for its deadline: predicted end - that.
  bool ran = false;            // Something of it was launched, started or looked up.
};
// Nothing in flight touches the request's memory any longer.
struct Retire {
  RequestId request = 0;
};
// Nothing in flight touches the batch's outputs any longer.
struct Release {
  BatchId batch = 0;
};
// Send TimerFired at `at`, instead of any earlier arming. Instant::max(): none needed.
struct ArmTimer {
  Instant at;
};
// A batch on the lane hangs, or it is stuck. Stop the lane, tell BatchDone of its batches, mend it,
// tell LaneUp.
struct AbandonLane {
  int subgraph = 0;
  int lane = 0;
  BatchId batch = 0;  // The one that hangs; 0: the lane is stuck.
  Clock::duration ran{0};
};
// A limited lane wants its resources (rate_limiter.h): tell TurnGranted when it has them. `renews`:
// in the same step it gives back those of its last batch, which is over.
struct AskTurn {
  int subgraph = 0;
  int lane = 0;
  uint64_t ticket = 0;
  bool renews = false;
};
// It wants or has them no longer. `used`: a batch was launched with them, which is over or lost
// with its device.
struct ReturnTurn {
  int subgraph = 0;
  int lane = 0;
  bool used = false;
};
// Nothing of the subgraph is left in the core. Its number is free for another one.
struct Unloaded {
  int subgraph = 0;
};
using Command = std::variant<Launch, StartHostStep, Respond, Retire, Release, ArmTimer, AbandonLane,
                             LookUp, AskTurn, ReturnTurn, PairVerdict, Unloaded>;

}  // namespace omserve::scheduler
