// SPDX-License-Identifier: Apache-2.0
// A request and its answer as values, free of any protocol.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "runtime/base/clock.h"
#include "runtime/base/tensor.h"
#include "runtime/memory/host_pool.h"
#include "scheduler/core.h"
#include "scheduler/placement.h"
#include "scheduler/plan.h"
#include "scheduler/stage_times.h"

namespace omserve::scheduler {

struct RequestInput {
  Dims dims;                         // Full dims as sent: [rows, ...] when the plan batches.
  std::span<const std::byte> bytes;  // Within `block`, or pinned memory that `owner` keeps.
  memory::HostBlock block;
  std::shared_ptr<const void> owner = nullptr;
  int64_t padding_elements = 0;  // Elements of it that only fill rows up to a compiled length.
};

// One step as it ran, for a request that is traced.
struct StepTrace {
  std::string step;
  std::string model;  // Empty for a host step.
  int device = -1;
  int lane = -1;
  int stream = -1;     // AscendCL's stream id of the compute stream; -1 not known.
  BatchId batch = 0;   // Of its device; what ran together has one. 0: a host step, or kept outputs.
  int batch_rows = 0;  // Rows of the batch it was part of.
  int gear_rows = 0;
  std::string_view reason;  // ReleaseReasonName; empty for a host step.
  // Device steps: the device's clock; host steps: the host's. Microseconds; 0 when not known.
  uint64_t start_us = 0;
  uint64_t end_us = 0;
  // A device step's copies, likewise.
  uint64_t input_start_us = 0;
  uint64_t input_end_us = 0;
  uint64_t output_end_us = 0;
  // The host's clock: its inputs were there, or it was launched behind them before; it was
  // launched; its end was known. Instant(): its outputs were kept ones.
  Instant ready;
  Instant begun;
  Instant done;

  bool placed() const { return done != Instant(); }
  bool timed() const { return output_end_us != 0; }
};

struct ResponseOutput {
  int output = 0;  // Index into Plan::outputs.
  Dims dims;       // Full dims.
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;  // Keeps `bytes`; a batch's rows share one block.
};

// Pinned memory of the client's in which an output may be put. It need not be: whoever asked looks
// where ResponseOutput::bytes are.
struct OutputPlace {
  std::span<std::byte> bytes;
  std::shared_ptr<const void> owner;  // Keeps `bytes`.
};

struct InferResponse {
  absl::Status status;
  std::vector<ResponseOutput> outputs;  // In the order asked for. Empty unless status is OK.
  std::vector<StepTrace> trace;
  StageTimes stages;         // Only the total unless status is OK.
  bool more_follow = false;  // Another answer of the same group comes at once, after this one.
  bool is_final = true;      // False: of InferRequest::early.
  // Of the request's rows, where those of `outputs` begin; they have all of them unless the request
  // has `early` and ran in parts.
  int first_row = 0;
};

struct InferRequest {
  RequestId id = 0;                            // From who submits to the engine.
  std::shared_ptr<const Placement> placement;  // What a dispatcher chooses `plan` from.
  std::shared_ptr<const Plan> plan;
  int rows = 1;
  std::vector<RequestInput> inputs;  // In the order of Plan::inputs.
  std::vector<int> wanted;           // Indices into Plan::outputs.
  std::vector<OutputPlace> places;   // By `wanted`; empty: none, as are empty bytes.
  std::vector<int> buckets;          // From Plan::ResolveBuckets.
  uint64_t priority = 1;             // 1 is the highest.
  Instant deadline = Instant::max();
  Instant delay_at = Instant::max();  // From then on it waits behind all others of its priority.
  Instant received;       // When the front end had the whole message. Instant(): at Submit.
  SequenceTurn sequence;  // Given when the plan's subgraph keeps sequences.
  bool trace = false;     // The answer tells of the steps.
  std::string trace_id;   // For lines of the log. Empty: it is of no trace.
  bool diverted = false;  // From a device that was lost before anything of it ran.
  // Who asked, if whoever did wants to know which answers come together; null: of no group.
  const void* group = nullptr;
  bool cancelled = false;  // Before the engine's thread took it up; its inputs are gone.
  // Runs exactly once, on the device thread: it must not block.
  std::function<void(InferResponse)> done;
  // Null: all outputs come together. Else it runs before `done` whenever some of them are there,
  // on the same thread, and `done` has only the rest: an output comes once for each row. The status
  // of what it is given is OK.
  std::function<void(InferResponse)> early = nullptr;
};

}  // namespace omserve::scheduler
