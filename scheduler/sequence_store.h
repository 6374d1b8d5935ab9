// SPDX-License-Identifier: Apache-2.0
// The state that a model's sequences keep on the device: for each slot of each lane, and each
// state, a row that the next request reads and one that it writes. They change places when the
// request is over, so a request that fails leaves the state as it was.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/acl/device.h"
#include "scheduler/plan.h"

namespace omserve::scheduler {

// Thread-compatible (confined to the device thread once it is made).
class SequenceStore final {
 public:
  // Takes all its device memory at once and copies the initial states there. Blocks. Requires
  // `subgraph.sequence`. `subgraph` and `device` outlive the store. Errors: AscendCL's.
  static absl::StatusOr<std::unique_ptr<SequenceStore>> Create(const acl::Device& device,
                                                               const Subgraph& subgraph, int lanes);

  // Rows start where the device takes a tensor: aligned, and with room behind.
  acl::DevicePtr Initial(size_t state) const { return states_[state].initial.get(); }
  acl::DevicePtr Current(size_t state, int lane, int slot) const {
    return At(state, lane, slot, flipped_[IndexOf(lane, slot)]);
  }
  // The same as Current for a state that is written in place.
  acl::DevicePtr Next(size_t state, int lane, int slot) const {
    return At(state, lane, slot, !flipped_[IndexOf(lane, slot)]);
  }
  // The slot's request is over and was computed: what it wrote is read next.
  void Flip(int lane, int slot) { flipped_[IndexOf(lane, slot)] = !flipped_[IndexOf(lane, slot)]; }

  size_t row_bytes(size_t state) const { return states_[state].row_bytes; }
  size_t size_bytes() const;

 private:
  struct State {
    size_t row_bytes = 0;
    size_t stride_bytes = 0;
    bool in_place = false;
    acl::DeviceBuffer initial;  // One row.
    acl::DeviceBuffer rows;     // [lanes][slots][2, or 1 in place].
  };

  SequenceStore(int lanes, int slots)
      : slots_(slots), flipped_(static_cast<size_t>(lanes) * static_cast<size_t>(slots)) {}
  size_t IndexOf(int lane, int slot) const {
    return static_cast<size_t>(lane) * static_cast<size_t>(slots_) + static_cast<size_t>(slot);
  }
  acl::DevicePtr At(size_t state, int lane, int slot, bool second) const;

  const int slots_;
  std::vector<State> states_;
  std::vector<bool> flipped_;  // By lane and slot.
};

}  // namespace omserve::scheduler
