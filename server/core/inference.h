// SPDX-License-Identifier: Apache-2.0
// One inference call, whatever protocol brought it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/clock.h"
#include "runtime/memory/host_pool.h"
#include "scheduler/dispatcher.h"
#include "scheduler/request.h"
#include "server/core/model.h"
#include "server/core/request_check.h"
#include "server/core/response_cache.h"
#include "server/core/shared_memory.h"
#include "server/core/shared_tensors.h"
#include "server/core/statistics.h"
#include "server/core/tracing/request_trace.h"

namespace omserve::server {

// Comes with the answers of a decoupled model that batches: InferResult::first_row.
inline constexpr char kFirstRowParameter[] = "omserve_first_row";

struct InferCall {
  ModelHandle model;  // From Catalog::Find.
  std::vector<InferInput> inputs;
  std::vector<std::string> outputs;  // Names in the order wanted; empty: all.
  // Of outputs that are wanted as texts of so many classes; 0 and those left out: as they are.
  std::vector<uint64_t> classes;
  // Of outputs that are wanted in shared memory; nullopt and those left out: in the answer.
  std::vector<std::optional<SharedPlace>> places;
  uint64_t priority = 0;       // 1 is the highest; 0: the model's default.
  Clock::duration timeout{0};  // From now; 0: none.
  scheduler::Instant deadline = scheduler::Instant::max();  // The client's own.
  scheduler::Instant received;  // When the whole message was there. Instant(): when it starts.
  scheduler::SequenceTurn sequence;
  bool trace = false;  // The client wants to know of the steps.
  // And, of a decoupled model, to be told of the end where the last answer did not.
  bool wants_end = false;
  // What is recorded of it, by Start and until `done` runs; null: nothing.
  std::shared_ptr<RequestTrace> traced = nullptr;
  const void* group = nullptr;  // Of InferRequest.
};

struct InferResult {
  absl::Status status;
  ModelHandle model;
  // In the order wanted. Empty unless OK. Without bytes: those that went to shared memory.
  std::vector<scheduler::ResponseOutput> outputs;
  // As the call has them. Whoever answers calls ClassifyOutputs (classification.h), which takes its
  // time, where that holds up no device.
  std::vector<uint64_t> classes;
  std::vector<scheduler::StepTrace> trace;
  scheduler::StageTimes stages;
  bool more_follow = false;  // Of InferResponse.
  // Of a decoupled model; else these are all outputs of all rows. One that is OK and has no outputs
  // is no answer: it only ends the request where it is final, and says more_follow.
  bool is_final = true;
  int first_row = 0;  // Of the request: the outputs are of the rows from there.

  // Of outputs[i], when those that are wanted as classes are texts.
  DataType OutputType(size_t i) const {
    return i < classes.size() && classes[i] > 0
               ? DataType::kBytes
               : model->outputs[static_cast<size_t>(outputs[i].output)].type;
  }
};

// Thread-safe. The references outlive it.
class Inference final {
 public:
  // `cache`: null where no answers are kept. `shared_memory`: null where clients may share none.
  Inference(scheduler::Dispatcher& dispatcher, memory::HostPool& pool, const Clock& clock,
            Statistics& statistics, ResponseCache* cache, SharedMemory* shared_memory)
      : dispatcher_(dispatcher),
        pool_(pool),
        clock_(clock),
        statistics_(statistics),
        cache_(cache),
        shared_memory_(shared_memory) {}

  // Checks the call, copies its tensors once into pinned memory, but for those that are in shared
  // memory and can stay there, and submits it. Nothing of `call` is used after the return. Does not
  // block.
  //
  // OK: `done` runs exactly once, or for a decoupled model one or more times up to the final
  // answer, where it must not block: on a device thread, or, for an answer that was kept, on the
  // caller's before this returns 0, which is nobody's id. It may have run before this returns in
  // any case. Not OK: `done` never runs. Errors: those of CheckRequest and FindShared;
  // kInvalidArgument for damaged BYTES elements and for tensors larger than the pinned memory; else
  // refusals (scheduler/refusal.h), for which nothing was copied except when that memory is used
  // up.
  //
  // With `wakes` false the call may wait until Wake, for callers that have more of them.
  absl::StatusOr<scheduler::RequestId> Start(const InferCall& call,
                                             std::function<void(InferResult)> done,
                                             bool wakes = true);
  // What a call that is not started is told, which is counted as such.
  absl::Status Refuse(const Model& model, const absl::Status& status);
  void Wake() { dispatcher_.Wake(); }
  // The client no longer wants the answer. Harmless when it was answered already.
  void Cancel(scheduler::RequestId id) { dispatcher_.CancelRequest(id); }
  // Whether a device serves the model now; it may be lost, and others too.
  bool Serves(const Model& model) const { return dispatcher_.Serves(*model.placement); }

 private:
  absl::StatusOr<std::unique_ptr<scheduler::InferRequest>> Prepare(const InferCall& call,
                                                                   std::optional<LengthFit>& fit,
                                                                   SharedTensors& shared);
  absl::Status CopyInputs(const InferCall& call, const CheckedRequest& checked,
                          const SharedTensors& shared, scheduler::InferRequest& request);
  absl::Status CopyInput(const Model& model, size_t input, const InferInput& from,
                         const std::optional<LengthFit>& fit, scheduler::RequestInput& into);

  using Done = std::function<void(InferResult)>;
  using Deliver = std::function<void(scheduler::InferResponse)>;
  // Has the request answered as its decoupled model answers.
  void Decouple(const InferCall& call, std::optional<LengthFit> fit, Deliver deliver,
                scheduler::InferRequest& request);
  bool UsesCache(const InferCall& call) const;
  // `done` after the answer was kept.
  Done Keeping(const ResponseKey& key, Clock::duration lookup, Done done);
  void AnswerKept(const InferCall& call, std::vector<scheduler::ResponseOutput> outputs,
                  scheduler::Instant looked, const Done& done);

  scheduler::Dispatcher& dispatcher_;
  memory::HostPool& pool_;
  const Clock& clock_;
  Statistics& statistics_;
  ResponseCache* const cache_;
  SharedMemory* const shared_memory_;
};

// The scheduler's priority (1 is the highest) of a request that asks for `asked`, by Triton's rule:
// 0 and levels that do not exist mean the default level. 1 without
// dynamic_batching.priority_levels.
uint64_t EffectivePriority(const inference::ModelConfig& config, uint64_t asked);

// How long a request may wait or take, and what becomes of it then.
struct RequestTimeout {
  Clock::duration after{0};  // 0: none.
  // False: it is refused then, wherever it is. True: its rows that still wait go behind the others.
  bool delays = false;
};

// By the queue policy of the request's priority (from EffectivePriority). With timeout_action
// REJECT the shorter of the request's own timeout and the policy's default; with DELAY the
// policy's, which the request's own shortens only where allow_timeout_override is set.
RequestTimeout EffectiveTimeout(const inference::ModelConfig& config, uint64_t priority,
                                Clock::duration asked);

}  // namespace omserve::server
