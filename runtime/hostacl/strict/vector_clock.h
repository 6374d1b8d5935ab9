// SPDX-License-Identifier: Apache-2.0
// Vector clocks: what an actor knows of the others' progress. Pure.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace omserve::hostacl {

// The host (all its threads are one actor) or a stream. Small numbers, used again when a stream is
// gone.
using ActorIndex = uint32_t;
inline constexpr ActorIndex kHostActor = 0;

// One actor's progress at one time.
struct Epoch {
  ActorIndex actor = kHostActor;
  uint64_t tick = 0;

  bool operator==(const Epoch&) const = default;
};

// Thread-compatible.
class VectorClock final {
 public:
  uint64_t at(ActorIndex actor) const { return actor < ticks_.size() ? ticks_[actor] : 0; }
  // The actor's next step.
  void Advance(ActorIndex actor) {
    if (actor >= ticks_.size()) {
      ticks_.resize(actor + 1, 0);
    }
    ++ticks_[actor];
  }
  // Learns all that `other` knows.
  void Join(const VectorClock& other) {
    if (other.ticks_.size() > ticks_.size()) {
      ticks_.resize(other.ticks_.size(), 0);
    }
    for (size_t i = 0; i < other.ticks_.size(); ++i) {
      ticks_[i] = std::max(ticks_[i], other.ticks_[i]);
    }
  }
  // Whether what happened at `epoch` is ordered before whoever has this clock.
  bool Knows(Epoch epoch) const { return at(epoch.actor) >= epoch.tick; }

 private:
  std::vector<uint64_t> ticks_;
};

}  // namespace omserve::hostacl
