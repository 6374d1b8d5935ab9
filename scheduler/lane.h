// SPDX-License-Identifier: Apache-2.0
// One instance of a subgraph with its three streams: copies in, computation, copies out. Obeys
// launches; decides nothing.
//
// Order of one batch:   copy-in:  [wait producers] copies, in_done
//                       compute:  wait in_done [wait producers], execute, compute_done
//                       copy-out: wait compute_done, copies, out_done, notify
// A batch with little to copy stays on the compute stream: copies, execute, copies, notify. Events
// between streams would cost more than such copies gain by overlapping. Where there is nothing to
// copy, not even the time is noted: that stage is none.
// Batches alternate between slots, so that the copies of one overlap the computation of the other.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "runtime/acl/device.h"
#include "runtime/acl/model.h"
#include "scheduler/subgraph.h"

namespace omserve::scheduler {

// Where a piece of one input comes from; pieces stand one after the other in the batch.
struct InputPiece {
  std::span<const std::byte> host;  // Pinned, or
  acl::DevicePtr device;            // on the device, or neither: left as it is, nobody reads it.
  size_t size_bytes = 0;            // The place it takes in the batch, always.
  const acl::Event* computed = nullptr;  // ready when this is reached (null: already).
};

struct InputSource {
  std::vector<InputPiece> pieces;
  // Set when the producer's buffer can be read as it is: no copy, `pieces` holds its events only.
  acl::DevicePtr in_place;
};

// A row of an output that is copied to another place on the device once it is computed.
struct KeptRow {
  acl::DevicePtr from;
  acl::DevicePtr to;
  size_t size_bytes = 0;
};

// Rows of an output that are copied to the host.
struct HostRows {
  size_t offset_bytes = 0;  // Where they stand in the output.
  std::span<std::byte> to;
};

struct OutputTarget {
  acl::DevicePtr device;       // Always: a buffer of at least the gear's size.
  std::span<std::byte> host;   // Where the first host.size() bytes are copied; empty: not needed.
  std::vector<HostRows> rows;  // Where they are copied instead, when not all to one place.
  std::vector<KeptRow> kept;
};

// One of several executions that make up a batch: what it reads and writes where it lies.
struct LanePart {
  size_t gear = 0;  // Of the model.
  absl::InlinedVector<acl::DevicePtr, 4> inputs;
  absl::InlinedVector<acl::DevicePtr, 4> outputs;  // Buffers of the gear's size at least.
};

struct LaunchTimes {
  // Device clock, microseconds; nullopt on a library that cannot tell.
  std::optional<uint64_t> input_start, input_end, compute_start, compute_end, output_end;
};

// A batch in flight on a lane. Made with the lane, used again and again.
class Slot;

// Told on the completion thread; must not block or call the device.
class CompletionSink {
 public:
  virtual ~CompletionSink() = default;
  virtual void OnSlotDone(Slot* slot) = 0;
};

class Slot final {
 public:
  const acl::Event& computed() const { return compute_done_; }
  uint64_t batch = 0;  // The engine's note of whose it is.

 private:
  friend class Lane;
  // How copies of a direction go: kApart is on a stream of their own.
  enum class Copies { kNone, kInline, kApart };
  CompletionSink* sink_ = nullptr;
  bool busy_ = false;
  // Of the batch at hand.
  Copies copies_in_ = Copies::kNone;
  Copies copies_out_ = Copies::kNone;
  absl::Status error_;
  std::vector<acl::DeviceBuffer> inputs_;  // At the largest gear.
  // Pinned, by input: where many small rows are put together, to be copied at once. Empty for
  // inputs that are not small.
  acl::HostBuffer staging_;
  std::vector<std::span<std::byte>> staged_inputs_;
  std::vector<acl::Binding> bindings_;  // One, and more once a batch had parts.
  acl::Event input_start_, input_done_, compute_start_, compute_done_, output_done_;
};

// Thread-compatible (confined to the device thread).
class Lane final {
 public:
  struct Options {
    int slots = 2;
    // Copies of a direction of up to this many bytes in all stay on the compute stream.
    size_t small_copy_bytes = 0;
  };
  // `model`, `device`, `completions` and `sink` outlive the lane.
  static absl::StatusOr<std::unique_ptr<Lane>> Create(const acl::Device& device,
                                                      acl::CompletionThread& completions,
                                                      acl::Model& model, const Options& options,
                                                      CompletionSink& sink);
  // Requires that nothing is in flight.
  ~Lane();

  // Enqueues a batch at model gear `gear`; sizes in bytes are those of that gear. The slot's sink
  // is told when it has run. On an error nothing of it is in flight any longer and the slot is
  // free: the call has then waited for what was enqueued, but not for ever: see stuck(). Requires a
  // free slot.
  absl::StatusOr<Slot*> Launch(size_t gear, std::span<const InputSource> inputs,
                               std::span<const OutputTarget> outputs);
  // The same for a batch of executions one after the other, of which nothing is copied. What they
  // read is there.
  absl::StatusOr<Slot*> LaunchApart(std::span<const LanePart> parts);

  // After the sink was told: the batch's times and its error, if a task failed. Frees the slot. A
  // device tells which stream failed, not which task: every batch then in flight on this lane
  // counts as failed, so that no wrong answer can pass for a right one.
  absl::Status Finish(Slot* slot, LaunchTimes* times);

  // A launch failed, and what it had enqueued did not end in time: it may still run, and nothing
  // can be launched behind it. The lane has to be stopped.
  bool stuck() const { return stuck_; }

  // Ends the lane whatever is in flight: streams are destroyed by force, buffers and events freed,
  // and after OK no task of it touches memory. It takes nothing any longer, but must outlive what
  // the completion thread may still be about to tell of its slots. On a device that was abandoned
  // it only lets go, and keeps the host memory that tasks may still read. Errors:
  // Stream::DestroyByForce's.
  absl::Status Stop();
  // Frees what Stop has kept. Requires that the device was reset since, and a context.
  void FreeHostMemory();

  int32_t compute_stream_id() const { return compute_.id(); }

 private:
  Lane(const acl::Device& device, acl::CompletionThread& completions, acl::Model& model,
       size_t small_copy_bytes)
      : device_(device),
        generation_(device.generation()),
        completions_(completions),
        model_(model),
        small_copy_bytes_(small_copy_bytes) {}
  absl::StatusOr<std::unique_ptr<Slot>> MakeSlot(CompletionSink& sink) const;
  Slot::Copies HowToCopy(size_t size_bytes) const;
  Slot& TakeSlot();
  // What became of the slot's launch.
  absl::StatusOr<Slot*> Launched(Slot& slot, const absl::Status& status);
  absl::Status Enqueue(Slot& slot, size_t gear, std::span<const InputSource> inputs,
                       std::span<const OutputTarget> outputs);
  absl::Status EnqueueApart(Slot& slot, std::span<const LanePart> parts);
  absl::Status CopyIn(Slot& slot, size_t gear, std::span<const InputSource> inputs);
  absl::Status CopyInput(Slot& slot, size_t input, const InputSource& source, acl::Stream& copies);
  // Puts the pieces together on the host, if all are small and there, and there are several; else
  // empty.
  static std::span<const std::byte> Stage(Slot& slot, size_t input, const InputSource& source);
  absl::Status CopyOut(Slot& slot, std::span<const OutputTarget> outputs);
  void Unsubscribe();
  // `status` is a stream's failure: it counts for every batch in flight here.
  void NoteFailure(const absl::Status& status);

  const acl::Device& device_;
  const uint64_t generation_;
  acl::CompletionThread& completions_;
  acl::Model& model_;
  const size_t small_copy_bytes_;
  bool stuck_ = false;
  std::vector<acl::Stream*> subscribed_;  // Those that notify.
  acl::Stream copy_in_, compute_, copy_out_;
  std::vector<std::unique_ptr<Slot>> slots_;
};

}  // namespace omserve::scheduler
