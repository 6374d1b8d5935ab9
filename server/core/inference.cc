// SPDX-License-Identifier: Apache-2.0
#include "server/core/inference.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <utility>

#include "config/model_config.h"
#include "runtime/base/bytes_tensor.h"
#include "runtime/base/errors.h"
#include "server/core/classification.h"
#include "server/core/decoupled_answers.h"
#include "server/core/sequences.h"

namespace omserve::server {
namespace {

// Longer timeouts are as good as none, and the sum with the present instant cannot overflow.
constexpr std::chrono::hours kLongestTimeout{24 * 365};

FailReason ReasonOf(const absl::Status& status) {
  return scheduler::RefusalOf(status).has_value() ? FailReason::kRejected : FailReason::kOther;
}

size_t TotalBytes(const InferCall& call, const CheckedRequest& checked) {
  size_t bytes = 0;
  for (const std::span<const InferInput> inputs :
       {std::span<const InferInput>(call.inputs), std::span<const InferInput>(checked.stand_ins)}) {
    for (const InferInput& input : inputs) {
      bytes += input.size_bytes();
    }
  }
  return bytes;
}

absl::Status CheckElements(const Model& model, const std::string& input, const Dims& shape,
                           std::span<const std::byte> bytes) {
  const std::optional<int64_t> count = ElementCount(shape);
  if (!count.has_value()) {
    return InvalidArgument("input '{}' for model '{}': a tensor of shape {} is too large", input,
                           model.name, DimsToString(shape));
  }
  return WithContext(CheckBytesTensor(bytes, *count),
                     fmt::format("input '{}' for model '{}'", input, model.name));
}

// The one copy of a tensor, to where the device reads it.
absl::Status WriteBytes(const InferInput& from, std::span<std::byte> to) {
  if (from.encode) {
    return from.encode(from, to);
  }
  std::byte* at = to.data();
  for (const std::span<const std::byte>& piece : from.pieces) {
    if (!piece.empty()) {
      std::memcpy(at, piece.data(), piece.size());
      at += piece.size();
    }
  }
  return absl::OkStatus();
}

// Sets the dims that the input runs with; false when they are those that it came with.
bool PadDims(const Model& model, const LengthFit& fit, size_t input,
             scheduler::RequestInput& into) {
  Dims padded = fit.row_dims[input];
  if (model.plan->batched) {
    padded.insert(padded.begin(), into.dims.front());
  }
  if (padded == into.dims) {
    return false;
  }
  into.padding_elements = ElementCount(padded).value_or(0) - ElementCount(into.dims).value_or(0);
  into.dims = std::move(padded);
  return true;
}

ElementBytes FillOf(const Model& model, size_t input) {
  for (const PaddedLength& length : model.lengths) {
    for (const PaddedDim& dim : length.inputs) {
      if (dim.tensor == input) {
        return dim.fill;
      }
    }
  }
  return {};
}

// The lengths that the request came with, where they are not those that it runs with.
std::vector<Dims> LengthsAsSent(const std::optional<LengthFit>& fit) {
  return fit.has_value() ? std::vector<Dims>{fit->given} : std::vector<Dims>();
}

// Cuts every output back to the lengths that the request came with.
void CutOutputs(const Model& model, const LengthFit& fit, memory::HostPool& pool,
                scheduler::InferResponse& response) {
  for (scheduler::ResponseOutput& output : response.outputs) {
    const absl::Status cut = CutOutput(*model.plan, model.lengths, fit, pool, output);
    if (!cut.ok()) {
      response.status =
          WithContext(cut, fmt::format("model '{}': cutting back a padded output", model.name));
      response.outputs.clear();
      return;
    }
  }
}

// The same to a tensor of longer dims.
absl::Status WritePadded(const Model& model, size_t input, const InferInput& from,
                         const scheduler::RequestInput& into, memory::HostPool& pool) {
  const PadSpec spec{.dims = from.shape,
                     .padded = into.dims,
                     .element_bytes = DataTypeSize(model.plan->input(input).type),
                     .fill = FillOf(model, input)};
  if (!from.encode) {
    CopyPadded(spec, from.pieces, into.block.bytes());
    return absl::OkStatus();
  }
  // Typed contents are written as one tensor first: they are for people, not for speed.
  ASSIGN_OR_RETURN(const memory::HostBlock whole, pool.Allocate(from.encoded_bytes));
  RETURN_IF_ERROR(from.encode(from, whole.bytes()));
  const std::span<const std::byte> pieces[] = {whole.bytes()};
  CopyPadded(spec, pieces, into.block.bytes());
  return absl::OkStatus();
}

// Where an answer of a decoupled model is counted.
DurationCount AnswerStatistics::*KindOf(const scheduler::InferResponse& answer) {
  if (answer.status.code() == absl::StatusCode::kCancelled) {
    return &AnswerStatistics::cancel;
  }
  if (!answer.status.ok()) {
    return &AnswerStatistics::fail;
  }
  return answer.outputs.empty() ? &AnswerStatistics::empty : &AnswerStatistics::success;
}

// Where the device may put the outputs itself.
std::vector<scheduler::OutputPlace> PlacesOf(const scheduler::Plan& plan,
                                             const SharedTensors& shared,
                                             const std::vector<int>& wanted) {
  std::vector<scheduler::OutputPlace> places(wanted.size());
  for (size_t i = 0; i < wanted.size() && i < shared.outputs.size(); ++i) {
    const SharedBytes& place = shared.outputs[i].place;
    if (place.is_pinned && IsForDeviceOnly(plan, plan.outputs[static_cast<size_t>(wanted[i])])) {
      places[i] = {.bytes = place.bytes, .owner = place.owner};
    }
  }
  return places;
}

// By output of the result, which of a decoupled model has some of those that are wanted.
std::vector<uint64_t> ClassesOf(const std::vector<uint64_t>& classes,
                                const std::vector<std::string>& wanted, const InferResult& result) {
  if (!IsDecoupled(*result.model)) {
    return classes;
  }
  std::vector<uint64_t> found;
  for (const scheduler::ResponseOutput& output : result.outputs) {
    const std::string& name = result.model->outputs[static_cast<size_t>(output.output)].name;
    const auto at = static_cast<size_t>(std::ranges::find(wanted, name) - wanted.begin());
    found.push_back(at < classes.size() ? classes[at] : 0);
  }
  return found;
}

void NoteInputs(const InferCall& call, RequestTrace& trace) {
  for (const InferInput& input : call.inputs) {
    trace.inputs.push_back({.name = input.name, .datatype = input.datatype, .shape = input.shape});
  }
}

// A decoupled model answers as often as a request has rows.
constexpr size_t kMostTracedOutputs = 256;

// `told`: the answer tells of the steps too.
void NoteRun(const Model& model, bool told, scheduler::InferResponse& response,
             RequestTrace& trace) {
  if (response.is_final) {
    trace.stages = response.stages;
  }
  const std::vector<scheduler::StepTrace> steps =
      told ? response.trace : std::exchange(response.trace, {});
  trace.steps.insert(trace.steps.end(), steps.begin(), steps.end());
  for (const scheduler::ResponseOutput& output : response.outputs) {
    if (trace.tells_tensors && trace.outputs.size() < kMostTracedOutputs) {
      const TensorSpec& spec = model.outputs[static_cast<size_t>(output.output)];
      trace.outputs.push_back({.name = spec.name,
                               .datatype = std::string(DataTypeName(spec.type)),
                               .shape = output.dims});
    }
  }
}

}  // namespace

uint64_t EffectivePriority(const inference::ModelConfig& config, uint64_t asked) {
  const inference::ModelDynamicBatching& batching = config.dynamic_batching();
  if (batching.priority_levels() == 0) {
    return 1;
  }
  if (asked == 0 || asked > batching.priority_levels()) {
    return std::max<uint64_t>(1, batching.default_priority_level());
  }
  return asked;
}

RequestTimeout EffectiveTimeout(const inference::ModelConfig& config, uint64_t priority,
                                Clock::duration asked) {
  const inference::ModelQueuePolicy& policy = config::QueuePolicyOf(config, priority);
  constexpr auto kMostUs = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(kLongestTimeout).count());
  const Clock::duration own = std::chrono::microseconds(
      static_cast<int64_t>(std::min(policy.default_timeout_microseconds(), kMostUs)));
  asked = std::min<Clock::duration>(asked, kLongestTimeout);
  const bool delays = policy.timeout_action() == inference::ModelQueuePolicy::DELAY;
  const bool counts =
      asked > Clock::duration::zero() && (!delays || policy.allow_timeout_override());
  const bool is_shorter = own == Clock::duration::zero() || asked < own;
  return {.after = counts && is_shorter ? asked : own, .delays = delays};
}

absl::StatusOr<scheduler::RequestId> Inference::Start(const InferCall& call,
                                                      std::function<void(InferResult)> done,
                                                      bool wakes) {
  const Model& model = *call.model;
  if (!call.classes.empty()) {  // Kept answers have the tensors.
    done = [classes = call.classes, outputs = call.outputs,
            done = std::move(done)](InferResult result) {
      result.classes = ClassesOf(classes, outputs, result);
      done(std::move(result));
    };
  }
  std::optional<LengthFit> fit;
  SharedTensors shared;
  absl::StatusOr<std::unique_ptr<scheduler::InferRequest>> request = Prepare(call, fit, shared);
  // Names and shapes of any length come with requests that were not checked.
  if (request.ok() && call.traced != nullptr && call.traced->tells_tensors) {
    NoteInputs(call, *call.traced);
  }
  if (request.ok() && !shared.empty()) {  // Kept answers go there as others do.
    done = [this, shared = std::move(shared), done = std::move(done)](InferResult result) {
      if (result.is_final) {
        PutShared(shared, shared_memory_->counts(), result);
      }
      done(std::move(result));
    };
  }
  absl::StatusOr<scheduler::RequestId> id = scheduler::RequestId{0};
  if (request.ok() && UsesCache(call)) {
    const scheduler::Instant looked = clock_.Now();
    const ResponseKey key = ResponseCache::KeyOf(model, LengthsAsSent(fit), **request);
    std::vector<scheduler::ResponseOutput> kept = cache_->Find(key);
    if (!kept.empty()) {
      AnswerKept(call, std::move(kept), looked, done);
      return id;
    }
    done = Keeping(key, clock_.Now() - looked, std::move(done));
  }
  if (!request.ok()) {
    id = request.status();
  } else {
    // A deadline earlier than the client's own is the queue policy's.
    const bool by_policy = (*request)->deadline < call.deadline;
    // Of a decoupled model they are cut before rows are looked at one by one.
    std::optional<LengthFit> early_fit;
    if (IsDecoupled(model)) {
      early_fit.swap(fit);
    }
    Deliver deliver = [this, done = std::move(done), model_handle = call.model,
                       fit = std::move(fit), by_policy, traced = call.traced,
                       told = call.trace](scheduler::InferResponse response) {
      if (by_policy && response.status.code() == absl::StatusCode::kDeadlineExceeded &&
          !scheduler::RefusalOf(response.status).has_value()) {
        response.status = Unavailable("Request timeout expired");  // As Triton's clients know it.
      }
      if (fit.has_value()) {
        CutOutputs(*model_handle, *fit, pool_, response);
      }
      if (traced != nullptr) {
        NoteRun(*model_handle, told, response, *traced);
      }
      done({.status = std::move(response.status),
            .model = model_handle,
            .outputs = std::move(response.outputs),
            .trace = std::move(response.trace),
            .stages = response.stages,
            .more_follow = response.more_follow,
            .is_final = response.is_final,
            .first_row = response.first_row});
    };
    if (IsDecoupled(model)) {
      Decouple(call, std::move(early_fit), std::move(deliver), **request);
    } else {
      (*request)->done = std::move(deliver);
    }
    id = dispatcher_.Submit(*std::move(request), wakes);
  }
  if (!id.ok()) {
    return Refuse(model, id.status());
  }
  return id;
}

absl::Status Inference::Refuse(const Model& model, const absl::Status& status) {
  std::optional<scheduler::RefusalReason> refusal;
  if (const std::optional<scheduler::Refusal> typed = scheduler::RefusalOf(status)) {
    refusal = typed->reason;
  }
  statistics_.CountRefused(model.name, model.version, ReasonOf(status), refusal);
  return status;
}

void Inference::Decouple(const InferCall& call, std::optional<LengthFit> fit, Deliver deliver,
                         scheduler::InferRequest& request) {
  const Model& model = *call.model;
  bool drops_mask = false;
  if (model.answered_rows.has_value() &&
      std::ranges::find(request.wanted, *model.answered_rows) == request.wanted.end()) {
    request.wanted.push_back(*model.answered_rows);
    drops_mask = true;
  }
  struct Answers {
    ModelHandle model;
    std::optional<LengthFit> fit;
    DecoupledAnswers parts;
    Deliver deliver;
    scheduler::Instant before;  // When the answer before came, or the request.
    size_t count = 0;
  };
  const auto answers = std::make_shared<Answers>(
      Answers{.model = call.model,
              .fit = std::move(fit),
              .parts = DecoupledAnswers(call.model, drops_mask),
              .deliver = std::move(deliver),
              .before = call.received == scheduler::Instant() ? clock_.Now() : call.received});
  // One thread at a time has the request, and with it the answers.
  request.early = [this, answers](scheduler::InferResponse response) {
    const Model& of = *answers->model;
    if (answers->fit.has_value()) {
      CutOutputs(of, *answers->fit, pool_, response);
    }
    for (scheduler::InferResponse& answer : answers->parts.Take(std::move(response))) {
      if (answer.is_final || !answer.outputs.empty()) {
        const scheduler::Instant now = clock_.Now();
        statistics_.CountAnswer(of.name, of.version, answers->count++, KindOf(answer),
                                now - std::exchange(answers->before, now));
      }
      answers->deliver(std::move(answer));
    }
  };
  request.done = request.early;
}

// A trace tells of a run, so what asks for one runs.
bool Inference::UsesCache(const InferCall& call) const {
  return cache_ != nullptr && call.model->config.response_cache().enable() && !call.trace;
}

Inference::Done Inference::Keeping(const ResponseKey& key, Clock::duration lookup, Done done) {
  return [this, key, lookup, done = std::move(done)](InferResult result) {
    Clock::duration cost = lookup;
    if (result.status.ok()) {
      const scheduler::Instant begun = clock_.Now();
      cache_->Keep(key, result.outputs);
      cost += clock_.Now() - begun;
    }
    statistics_.CountCacheMiss(result.model->name, result.model->version, cost);
    done(std::move(result));
  };
}

void Inference::AnswerKept(const InferCall& call, std::vector<scheduler::ResponseOutput> outputs,
                           scheduler::Instant looked, const Done& done) {
  const scheduler::Instant now = clock_.Now();
  scheduler::StageTimes stages;
  stages.total = now - (call.received == scheduler::Instant() ? looked : call.received);
  stages[scheduler::Stage::kOverhead] = stages.total;
  if (call.traced != nullptr) {
    call.traced->from_cache = true;
    call.traced->stages = stages;
  }
  statistics_.CountCacheHit(call.model->name, call.model->version, now - looked, stages);
  done({.status = absl::OkStatus(),
        .model = call.model,
        .outputs = std::move(outputs),
        .stages = stages});
}

absl::StatusOr<std::unique_ptr<scheduler::InferRequest>> Inference::Prepare(
    const InferCall& call, std::optional<LengthFit>& fit, SharedTensors& shared) {
  const Model& model = *call.model;
  ASSIGN_OR_RETURN(CheckedRequest checked, CheckRequest(model, call.inputs, call.outputs));
  RETURN_IF_ERROR(CheckSequence(model, call.sequence, checked.rows));
  for (size_t i = 0; i < call.classes.size(); ++i) {
    if (call.classes[i] > 0) {
      RETURN_IF_ERROR(CheckClassification(model.name,
                                          model.outputs[static_cast<size_t>(checked.wanted[i])],
                                          model.plan->batched, call.classes[i]));
    }
  }
  ASSIGN_OR_RETURN(shared, FindShared(call, shared_memory_));
  if (!shared.outputs.empty() && IsDecoupled(model)) {
    return InvalidArgument(
        "model '{}' is decoupled: its outputs cannot be put in shared memory, where one answer "
        "would "
        "overwrite another; take them in the answers",
        model.name);
  }
  auto request = std::make_unique<scheduler::InferRequest>();
  request->deadline = call.deadline;
  request->priority = EffectivePriority(model.config, call.priority);
  const RequestTimeout timeout = EffectiveTimeout(model.config, request->priority, call.timeout);
  if (timeout.after > Clock::duration::zero()) {
    scheduler::Instant& at = timeout.delays ? request->delay_at : request->deadline;
    at = std::min(at, clock_.Now() + timeout.after);
  }
  RETURN_IF_ERROR(
      dispatcher_.CheckRoom(*model.placement, request->deadline, TotalBytes(call, checked)));
  RETURN_IF_ERROR(CopyInputs(call, checked, shared, *request));
  if (!shared.outputs.empty() && !UsesCache(call) && !checked.fit.has_value()) {
    request->places = PlacesOf(*model.plan, shared, checked.wanted);
  }
  request->placement = model.placement;
  request->rows = checked.rows;
  request->wanted = std::move(checked.wanted);
  fit = std::move(checked.fit);
  request->buckets = std::move(checked.buckets);
  if (model.subgraph != nullptr && model.subgraph->sequence.has_value()) {
    request->sequence = call.sequence;
  }
  request->trace = call.trace || call.traced != nullptr;
  if (call.traced != nullptr) {
    request->trace_id = ToHex(call.traced->context.trace);
  }
  request->received = call.received;
  request->group = call.group;
  return request;
}

absl::Status Inference::CopyInputs(const InferCall& call, const CheckedRequest& checked,
                                   const SharedTensors& shared, scheduler::InferRequest& request) {
  const Model& model = *call.model;
  for (size_t i = 0; i < checked.inputs.size(); ++i) {
    const size_t given = checked.inputs[i];
    const InferInput& from = given == kLeftOut ? checked.stand_ins[i] : call.inputs[given];
    scheduler::RequestInput& input = request.inputs.emplace_back();
    input.dims = from.shape;
    if (!from.shared.has_value()) {
      RETURN_IF_ERROR(CopyInput(model, i, from, checked.fit, input));
      continue;
    }
    const SharedBytes& place = shared.inputs[given].place;
    if (place.is_pinned && !checked.fit.has_value() && !UsesCache(call) &&
        model.plan->input(i).type != DataType::kBytes &&
        IsForDeviceOnly(*model.plan, model.plan->inputs[i])) {
      input.bytes = place.bytes;
      input.owner = place.owner;
      shared_memory_->counts().in_place.fetch_add(1, std::memory_order_relaxed);
      continue;
    }
    // The copy is what is checked and run, whatever becomes of the client's memory.
    const InferInput read{
        .name = from.name, .datatype = from.datatype, .shape = from.shape, .pieces = {place.bytes}};
    RETURN_IF_ERROR(CopyInput(model, i, read, checked.fit, input));
    shared_memory_->counts().copied.fetch_add(1, std::memory_order_relaxed);
  }
  return absl::OkStatus();
}

absl::Status Inference::CopyInput(const Model& model, size_t input, const InferInput& from,
                                  const std::optional<LengthFit>& fit,
                                  scheduler::RequestInput& into) {
  size_t size_bytes = from.size_bytes();
  const bool padded = fit.has_value() && PadDims(model, *fit, input, into);
  if (padded) {
    size_bytes = TensorBytes(model.plan->input(input).type, into.dims).value_or(0);
  }
  absl::StatusOr<memory::HostBlock> block = pool_.Allocate(size_bytes);
  if (!block.ok()) {
    const absl::Status status = WithContext(
        block.status(), fmt::format("input '{}' for model '{}'", from.name, model.name));
    return status.code() == absl::StatusCode::kUnavailable
               ? scheduler::ToStatus({.reason = scheduler::RefusalReason::kPinnedMemory},
                                     std::string(MessageOf(status)))
               : status;
  }
  into.block = *std::move(block);
  RETURN_IF_ERROR(padded ? WritePadded(model, input, from, into, pool_)
                         : WriteBytes(from, into.block.bytes().first(size_bytes)));
  into.bytes = into.block.bytes().first(size_bytes);
  return model.plan->input(input).type == DataType::kBytes
             ? CheckElements(model, from.name, from.shape, into.bytes)
             : absl::OkStatus();
}

}  // namespace omserve::server
