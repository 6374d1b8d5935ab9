// SPDX-License-Identifier: Apache-2.0
#include "scheduler/lane.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/log.h"
#include "runtime/base/status_macros.h"

namespace omserve::scheduler {
namespace {

// For what a failed launch has enqueued, which waits at most for the batches before it. Longer, and
// the device thread would be held up by a stream that hangs.
constexpr std::chrono::milliseconds kLaunchFailedWait{200};

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
    auto slot = std::make_unique<Slot>();
    slot->sink_ = &sink;
    ASSIGN_OR_RETURN(acl::Binding binding, acl::Binding::Create(model));
    slot->binding_.emplace(std::move(binding));
    for (const acl::ModelTensor& input : model.info().inputs) {
      ASSIGN_OR_RETURN(acl::DeviceBuffer buffer, device.Allocate(input.max_bytes));
      // Rows that pad a batch up to its gear are zeros at first and old rows later: both are data
      // that the model can take, where memory as found might hold an index out of range.
      RETURN_IF_ERROR(device.Clear(buffer.get(), input.max_bytes));
      slot->inputs_.push_back(std::move(buffer));
    }
    for (acl::Event* event : {&slot->input_start_, &slot->input_done_, &slot->compute_start_,
                              &slot->compute_done_, &slot->output_done_}) {
      ASSIGN_OR_RETURN(*event, device.CreateEvent(/*timed=*/true));
    }
    lane->slots_.push_back(std::move(slot));
  }
  return lane;
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
  const auto free =
      std::find_if(slots_.begin(), slots_.end(), [](const auto& slot) { return !slot->busy_; });
  OMSERVE_CHECK(free != slots_.end(), "the core keeps a lane within its slots");
  Slot& slot = **free;
  slot.busy_ = true;
  const absl::Status status = Enqueue(slot, gear, inputs, outputs);
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
    slot->binding_.reset();
    slot->inputs_.clear();
    for (acl::Event* event : {&slot->input_start_, &slot->input_done_, &slot->compute_start_,
                              &slot->compute_done_, &slot->output_done_}) {
      *event = acl::Event();
    }
  }
  return absl::OkStatus();
}

absl::Status Lane::Enqueue(Slot& slot, size_t gear, std::span<const InputSource> inputs,
                           std::span<const OutputTarget> outputs) {
  RETURN_IF_ERROR(CopyIn(slot, gear, inputs));
  const acl::ModelInfo& info = model_.info();
  for (size_t i = 0; i < outputs.size(); ++i) {
    const size_t size_bytes = *TensorBytes(info.outputs[i].type, info.gears[gear].output_dims[i]);
    RETURN_IF_ERROR(slot.binding_->BindOutput(i, outputs[i].device, size_bytes));
  }
  RETURN_IF_ERROR(compute_.Record(slot.compute_start_));
  RETURN_IF_ERROR(model_.Enqueue(*slot.binding_, gear, compute_));
  RETURN_IF_ERROR(compute_.Record(slot.compute_done_));
  return CopyOut(slot, outputs);
}

absl::Status Lane::CopyIn(Slot& slot, size_t gear, std::span<const InputSource> inputs) {
  const acl::ModelInfo& info = model_.info();
  size_t copied_bytes = 0;
  for (const InputSource& source : inputs) {
    for (const InputPiece& piece : source.pieces) {
      copied_bytes += source.in_place ? 0 : piece.size_bytes;
    }
  }
  slot.copies_in_apart_ = copied_bytes > small_copy_bytes_;
  acl::Stream& copies = slot.copies_in_apart_ ? copy_in_ : compute_;
  RETURN_IF_ERROR(copies.Record(slot.input_start_));
  for (size_t i = 0; i < inputs.size(); ++i) {
    const InputSource& source = inputs[i];
    RETURN_IF_ERROR(CopyInput(slot, i, source, copies));
    RETURN_IF_ERROR(slot.binding_->BindInput(
        i, source.in_place ? source.in_place : slot.inputs_[i].get(),
        *TensorBytes(info.inputs[i].type, info.gears[gear].input_dims[i])));
  }
  if (!slot.copies_in_apart_) {
    return absl::OkStatus();
  }
  RETURN_IF_ERROR(copy_in_.Record(slot.input_done_));
  return compute_.Wait(slot.input_done_);
}

absl::Status Lane::CopyInput(Slot& slot, size_t input, const InputSource& source,
                             acl::Stream& copies) {
  acl::Stream& reader = source.in_place ? compute_ : copies;
  const acl::Event* waited = nullptr;
  acl::DevicePtr to = slot.inputs_[input].get();
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

absl::Status Lane::CopyOut(Slot& slot, std::span<const OutputTarget> outputs) {
  size_t copied_bytes = 0;
  for (const OutputTarget& output : outputs) {
    copied_bytes += output.host.size();
  }
  // Not past the copies of a batch before it: batches of a lane end in its order.
  slot.copies_out_apart_ =
      copied_bytes > small_copy_bytes_ ||
      std::any_of(slots_.begin(), slots_.end(), [&slot](const std::unique_ptr<Slot>& other) {
        return other.get() != &slot && other->busy_ && other->copies_out_apart_;
      });
  acl::Stream& copies = slot.copies_out_apart_ ? copy_out_ : compute_;
  if (slot.copies_out_apart_) {
    RETURN_IF_ERROR(copies.Wait(slot.compute_done_));
  }
  for (const OutputTarget& output : outputs) {
    if (!output.host.empty()) {
      RETURN_IF_ERROR(copies.CopyToHost(output.host, output.device));
    }
    for (const KeptRow& row : output.kept) {
      RETURN_IF_ERROR(copy_out_.CopyOnDevice(row.to, row.from, row.size_bytes));
    }
  }
  RETURN_IF_ERROR(copies.Record(slot.output_done_));
  return copies.Notify(
      [](void* argument) {
        Slot* done = static_cast<Slot*>(argument);
        done->sink_->OnSlotDone(done);
      },
      &slot);
}

absl::Status Lane::Finish(Slot* slot, LaunchTimes* times) {
  times->input_start = slot->input_start_.TimestampUs();
  times->input_end =
      (slot->copies_in_apart_ ? slot->input_done_ : slot->compute_start_).TimestampUs();
  times->compute_start = slot->compute_start_.TimestampUs();
  times->compute_end = slot->compute_done_.TimestampUs();
  times->output_end = slot->output_done_.TimestampUs();
  for (acl::Stream* stream : {&copy_in_, &compute_, &copy_out_}) {
    NoteFailure(stream->TakeTaskError());
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
