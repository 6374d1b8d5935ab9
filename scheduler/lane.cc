// SPDX-License-Identifier: Apache-2.0
#include "scheduler/lane.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/device_piece.h"
#include "runtime/base/log.h"
#include "runtime/base/status_macros.h"

namespace omserve::scheduler {
namespace {

// For what a failed launch has enqueued, which waits at most for the batches before it. Longer, and
// the device thread would be held up by a stream that hangs.
constexpr std::chrono::milliseconds kLaunchFailedWait{200};

// Rows up to this size are put together on the host and copied to the device at once: a call of
// AscendCL, and the task behind it, cost more than copying so much on the host does.
constexpr size_t kStagedPieceBytes = size_t{16} << 10;
// Inputs up to this size, at the largest gear, have room for that.
constexpr size_t kStagedInputBytes = size_t{512} << 10;

// The room that an input has where rows are put together; 0: none.
size_t StagedBytes(const acl::ModelTensor& input) {
  return input.max_bytes <= kStagedInputBytes ? DevicePieceBytes(input.max_bytes) : 0;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Lane>> Lane::Create(const acl::Device& device,
                                                   acl::CompletionThread& completions,
                                                   acl::Model& model, const Options& options,
                                                   CompletionSink& sink) {
  std::unique_ptr<Lane> lane(  // NOLINT: private constructor.
      new Lane(device, completions, model, options.small_copy_bytes));
  for (acl::Stream* stream : {&lane->copy_in_, &lane->compute_, &lane->copy_out_}) {
    ASSIGN_OR_RETURN(*stream, device.CreateStream());
  }
  for (acl::Stream* stream : {&lane->compute_, &lane->copy_out_}) {
    RETURN_IF_ERROR(completions.Subscribe(*stream));
    lane->subscribed_.push_back(stream);
  }
  for (int i = 0; i < options.slots; ++i) {
    ASSIGN_OR_RETURN(std::unique_ptr<Slot> slot, lane->MakeSlot(sink));
    lane->slots_.push_back(std::move(slot));
  }
  return lane;
}

absl::StatusOr<std::unique_ptr<Slot>> Lane::MakeSlot(CompletionSink& sink) const {
  auto slot = std::make_unique<Slot>();
  slot->sink_ = &sink;
  ASSIGN_OR_RETURN(acl::Binding binding, acl::Binding::Create(model_));
  slot->bindings_.push_back(std::move(binding));
  const std::vector<acl::ModelTensor>& inputs = model_.info().inputs;
  size_t staging_bytes = 0;
  for (const acl::ModelTensor& input : inputs) {
    ASSIGN_OR_RETURN(acl::DeviceBuffer buffer, device_.Allocate(input.max_bytes));
    // Rows that pad a batch up to its gear are zeros at first and old rows later: both are data
    // that the model can take, where memory as found might hold an index out of range.
    RETURN_IF_ERROR(device_.Clear(buffer.get(), input.max_bytes));
    slot->inputs_.push_back(std::move(buffer));
    staging_bytes += StagedBytes(input);
  }
  if (staging_bytes > 0) {
    ASSIGN_OR_RETURN(slot->staging_, device_.AllocateHost(staging_bytes));
    std::memset(slot->staging_.bytes().data(), 0, staging_bytes);  // As above.
  }
  std::span<std::byte> rest = slot->staging_.bytes();
  for (const acl::ModelTensor& input : inputs) {
    slot->staged_inputs_.push_back(rest.first(StagedBytes(input) > 0 ? input.max_bytes : 0));
    rest = rest.subspan(StagedBytes(input));
  }
  for (acl::Event* event : {&slot->input_start_, &slot->input_done_, &slot->compute_start_,
                            &slot->compute_done_, &slot->output_done_}) {
    ASSIGN_OR_RETURN(*event, device_.CreateEvent(/*timed=*/true));
  }
  return slot;
}

Lane::~Lane() { Unsubscribe(); }

void Lane::Unsubscribe() {
  if (generation_ != device_.generation()) {
    subscribed_.clear();
  }
  for (acl::Stream* stream : std::exchange(subscribed_, {})) {
    const absl::Status status = completions_.Unsubscribe(*stream);
    if (!status.ok()) {
      OMSERVE_LOG(kWarning, "scheduler", "unsubscribe failed error=\"{}\"", MessageOf(status));
    }
  }
}

absl::StatusOr<Slot*> Lane::Launch(size_t gear, std::span<const InputSource> inputs,
                                   std::span<const OutputTarget> outputs) {
  Slot& slot = TakeSlot();
  return Launched(slot, Enqueue(slot, gear, inputs, outputs));
}

absl::StatusOr<Slot*> Lane::LaunchApart(std::span<const LanePart> parts) {
  Slot& slot = TakeSlot();
  return Launched(slot, EnqueueApart(slot, parts));
}

Slot& Lane::TakeSlot() {
  const auto free =
      std::find_if(slots_.begin(), slots_.end(), [](const auto& slot) { return !slot->busy_; });
  OMSERVE_CHECK(free != slots_.end(), "the core keeps a lane within its slots");
  (*free)->busy_ = true;
  return **free;
}

absl::StatusOr<Slot*> Lane::Launched(Slot& slot, const absl::Status& status) {
  if (!status.ok()) {
    slot.busy_ = false;
    for (acl::Stream* stream : {&copy_in_, &compute_, &copy_out_}) {
      // A stream tells of a failure once. This batch has failed in any case, but the failure may be
      // that of another one whose Finish is still to come.
      const absl::Status ended = stream->SynchronizeFor(kLaunchFailedWait);
      if (ended.code() == absl::StatusCode::kDeadlineExceeded) {
        stuck_ = true;
        break;
      }
      NoteFailure(ended);
    }
    return status;
  }
  return &slot;
}

absl::Status Lane::Stop() {
  Unsubscribe();
  for (acl::Stream* stream : {&compute_, &copy_in_, &copy_out_}) {
    RETURN_IF_ERROR(stream->DestroyByForce());
  }
  for (const std::unique_ptr<Slot>& slot : slots_) {
    slot->bindings_.clear();
    slot->inputs_.clear();
    for (acl::Event* event : {&slot->input_start_, &slot->input_done_, &slot->compute_start_,
                              &slot->compute_done_, &slot->output_done_}) {
      *event = acl::Event();
    }
  }
  if (generation_ == device_.generation()) {
    FreeHostMemory();
  }
  return absl::OkStatus();
}

void Lane::FreeHostMemory() {
  for (const std::unique_ptr<Slot>& slot : slots_) {
    slot->staging_ = acl::HostBuffer();
  }
}

absl::Status Lane::Enqueue(Slot& slot, size_t gear, std::span<const InputSource> inputs,
                           std::span<const OutputTarget> outputs) {
  RETURN_IF_ERROR(CopyIn(slot, gear, inputs));
  const acl::ModelInfo& info = model_.info();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const size_t size_bytes = *TensorBytes(info.outputs[i].type, info.gears[gear].output_dims[i]);
    RETURN_IF_ERROR(slot.bindings_.front().BindOutput(i, outputs[i].device, size_bytes));
  }
  RETURN_IF_ERROR(compute_.Record(slot.compute_start_));
  RETURN_IF_ERROR(model_.Enqueue(slot.bindings_.front(), gear, compute_));
  RETURN_IF_ERROR(compute_.Record(slot.compute_done_));
  return CopyOut(slot, outputs);
}

absl::Status Lane::EnqueueApart(Slot& slot, std::span<const LanePart> parts) {
  slot.copies_in_ = Slot::Copies::kNone;
  while (slot.bindings_.size() < parts.size()) {
    ASSIGN_OR_RETURN(acl::Binding binding, acl::Binding::Create(model_));
    slot.bindings_.push_back(std::move(binding));
  }
  const acl::ModelInfo& info = model_.info();
  RETURN_IF_ERROR(compute_.Record(slot.compute_start_));
  for (size_t p = 0; p < parts.size(); ++p) {
    const LanePart& part = parts[p];
    const acl::ModelGear& gear = info.gears[part.gear];
    acl::Binding& binding = slot.bindings_[p];
    for (size_t i = 0; i < part.inputs.size(); ++i) {
      RETURN_IF_ERROR(binding.BindInput(i, part.inputs[i],
                                        *TensorBytes(info.inputs[i].type, gear.input_dims[i])));
    }
    for (size_t i = 0; i < part.outputs.size(); ++i) {
      RETURN_IF_ERROR(binding.BindOutput(i, part.outputs[i],
                                         *TensorBytes(info.outputs[i].type, gear.output_dims[i])));
    }
    RETURN_IF_ERROR(model_.Enqueue(binding, part.gear, compute_));
  }
  RETURN_IF_ERROR(compute_.Record(slot.compute_done_));
  return CopyOut(slot, {});
}

Slot::Copies Lane::HowToCopy(size_t size_bytes) const {
  if (size_bytes == 0) {
    return Slot::Copies::kNone;
  }
  return size_bytes <= small_copy_bytes_ ? Slot::Copies::kInline : Slot::Copies::kApart;
}

absl::Status Lane::CopyIn(Slot& slot, size_t gear, std::span<const InputSource> inputs) {
  const acl::ModelInfo& info = model_.info();
  size_t copied_bytes = 0;
  for (const InputSource& source : inputs) {
    for (const InputPiece& piece : source.pieces) {
      copied_bytes += source.in_place ? 0 : piece.size_bytes;
    }
  }
  slot.copies_in_ = HowToCopy(copied_bytes);
  acl::Stream& copies = slot.copies_in_ == Slot::Copies::kApart ? copy_in_ : compute_;
  if (slot.copies_in_ != Slot::Copies::kNone) {
    RETURN_IF_ERROR(copies.Record(slot.input_start_));
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    const InputSource& source = inputs[i];
    RETURN_IF_ERROR(CopyInput(slot, i, source, copies));
    RETURN_IF_ERROR(slot.bindings_.front().BindInput(
        i, source.in_place ? source.in_place : slot.inputs_[i].get(),
        *TensorBytes(info.inputs[i].type, info.gears[gear].input_dims[i])));
  }
  if (slot.copies_in_ != Slot::Copies::kApart) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(copy_in_.Record(slot.input_done_));
  return compute_.Wait(slot.input_done_);
}

absl::Status Lane::CopyInput(Slot& slot, size_t input, const InputSource& source,
                             acl::Stream& copies) {
  acl::DevicePtr to = slot.inputs_[input].get();
  if (const std::span<const std::byte> staged = Stage(slot, input, source); !staged.empty()) {
    return copies.CopyToDevice(to, staged);
  }
  acl::Stream& reader = source.in_place ? compute_ : copies;
  const acl::Event* waited = nullptr;
  for (const InputPiece& piece : source.pieces) {
    if (piece.computed != nullptr && piece.computed != waited) {
      RETURN_IF_ERROR(reader.Wait(*piece.computed));
      waited = piece.computed;
    }
    if (source.in_place) {
      continue;
    }
    RETURN_IF_ERROR(piece.device ? copies.CopyOnDevice(to, piece.device, piece.size_bytes)
                                 : copies.CopyToDevice(to, piece.host));
    to = to + piece.size_bytes;
  }
  return absl::OkStatus();
}

std::span<const std::byte> Lane::Stage(Slot& slot, size_t input, const InputSource& source) {
  const std::span<std::byte> place = slot.staged_inputs_[input];
  size_t size_bytes = 0;
  for (const InputPiece& piece : source.pieces) {
    if (piece.device || piece.size_bytes > kStagedPieceBytes) {
      return {};
    }
    size_bytes += piece.size_bytes;
  }
  if (source.in_place || source.pieces.size() < 2 || size_bytes > place.size()) {
    return {};
  }
  std::byte* to = place.data();
  for (const InputPiece& piece : source.pieces) {
    if (!piece.host.empty()) {
      std::memcpy(to, piece.host.data(), piece.host.size());
    }
    to += piece.size_bytes;
  }
  return place.first(size_bytes);
}

absl::Status Lane::CopyOut(Slot& slot, std::span<const OutputTarget> outputs) {
  size_t copied_bytes = 0;
  for (const OutputTarget& output : outputs) {
    copied_bytes += output.host.size();
    for (const HostRows& rows : output.rows) {
      copied_bytes += rows.to.size();
    }
    for (const KeptRow& row : output.kept) {
      copied_bytes += row.size_bytes;
    }
  }
  slot.copies_out_ = HowToCopy(copied_bytes);
  // Not past the copies of a batch before it: batches of a lane end in its order.
  if (std::any_of(slots_.begin(), slots_.end(), [&slot](const std::unique_ptr<Slot>& other) {
        return other.get() != &slot && other->busy_ && other->copies_out_ == Slot::Copies::kApart;
      })) {
    slot.copies_out_ = Slot::Copies::kApart;
  }
  const bool apart = slot.copies_out_ == Slot::Copies::kApart;
  acl::Stream& copies = apart ? copy_out_ : compute_;
  if (apart) {
    RETURN_IF_ERROR(copies.Wait(slot.compute_done_));
  }
  for (const OutputTarget& output : outputs) {
    if (!output.host.empty()) {
      RETURN_IF_ERROR(copies.CopyToHost(output.host, output.device));
    }
    for (const HostRows& rows : output.rows) {
      RETURN_IF_ERROR(copies.CopyToHost(rows.to, output.device + rows.offset_bytes));
    }
    for (const KeptRow& row : output.kept) {
      RETURN_IF_ERROR(copies.CopyOnDevice(row.to, row.from, row.size_bytes));
    }
  }
  if (slot.copies_out_ != Slot::Copies::kNone) {
    RETURN_IF_ERROR(copies.Record(slot.output_done_));
  }
  return copies.Notify(
      [](void* argument) {
        Slot* done = static_cast<Slot*>(argument);
        done->sink_->OnSlotDone(done);
      },
      &slot);
}

absl::Status Lane::Finish(Slot* slot, LaunchTimes* times) {
  times->compute_start = slot->compute_start_.TimestampUs();
  times->compute_end = slot->compute_done_.TimestampUs();
  times->input_start = slot->copies_in_ == Slot::Copies::kNone ? times->compute_start
                                                               : slot->input_start_.TimestampUs();
  times->input_end = slot->copies_in_ == Slot::Copies::kApart ? slot->input_done_.TimestampUs()
                                                              : times->compute_start;
  times->output_end = slot->copies_out_ == Slot::Copies::kNone ? times->compute_end
                                                               : slot->output_done_.TimestampUs();
  const absl::Status computed = compute_.TakeTaskError();
  NoteFailure(computed);
  // The others had nothing of it, if it was not apart. But a failure whose stream is not known is
  // told of every stream, and must not be left for the next batch.
  if (!computed.ok() || slot->copies_in_ == Slot::Copies::kApart) {
    NoteFailure(copy_in_.TakeTaskError());
  }
  if (!computed.ok() || slot->copies_out_ == Slot::Copies::kApart) {
    NoteFailure(copy_out_.TakeTaskError());
  }
  slot->busy_ = false;
  return std::exchange(slot->error_, absl::OkStatus());
}

void Lane::NoteFailure(const absl::Status& status) {
  if (status.ok()) {
    return;
  }
  for (const std::unique_ptr<Slot>& slot : slots_) {
    if (slot->busy_ && slot->error_.ok()) {
      slot->error_ = status;
    }
  }
}

}  // namespace omserve::scheduler
