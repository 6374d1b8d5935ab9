// SPDX-License-Identifier: Apache-2.0
#include "scheduler/sequence_store.h"

#include <span>

#include "runtime/base/status_macros.h"

namespace omserve::scheduler {
namespace {

// AscendCL's rule for a piece of a larger allocation: a multiple of 32 bytes, 32 more, 64-aligned.
size_t PieceBytes(size_t size_bytes) {
  const size_t padded = (size_bytes + 31) / 32 * 32 + 32;
  return (padded + 63) / 64 * 64;
}

}  // namespace

absl::StatusOr<std::unique_ptr<SequenceStore>> SequenceStore::Create(const acl::Device& device,
                                                                     const Subgraph& subgraph,
                                                                     int lanes) {
  const SequenceSpec& spec = *subgraph.sequence;
  std::unique_ptr<SequenceStore> store(  // NOLINT: private constructor.
      new SequenceStore(lanes, spec.slots_per_lane));
  for (const SequenceState& from : spec.states) {
    State state;
    state.in_place = from.in_place;
    state.row_bytes =
        subgraph.shape.buckets.front().input_row_bytes[static_cast<size_t>(from.input)];
    state.stride_bytes = PieceBytes(state.row_bytes);
    ASSIGN_OR_RETURN(state.initial, device.Allocate(state.stride_bytes));
    RETURN_IF_ERROR(
        from.initial.empty()
            ? device.Clear(state.initial.get(), state.row_bytes)
            : device.CopyToDeviceNow(state.initial.get(), std::as_bytes(std::span(from.initial))));
    const size_t rows = store->flipped_.size() * (state.in_place ? 1 : 2);
    ASSIGN_OR_RETURN(state.rows, device.Allocate(rows * state.stride_bytes));
    store->states_.push_back(std::move(state));
  }
  return store;
}

acl::DevicePtr SequenceStore::At(size_t state, int lane, int slot, bool second) const {
  const State& of = states_[state];
  const size_t row = IndexOf(lane, slot) * (of.in_place ? 1 : 2) + (second && !of.in_place ? 1 : 0);
  return of.rows.get() + row * of.stride_bytes;
}

size_t SequenceStore::size_bytes() const {
  size_t size = 0;
  for (const State& state : states_) {
    size += state.initial.size_bytes() + state.rows.size_bytes();
  }
  return size;
}

}  // namespace omserve::scheduler
