// SPDX-License-Identifier: Apache-2.0
// Sequences as values: who a request belongs to, and what a model that keeps state needs of the
// server.
//
// Source: Triton's sequence batcher and implicit state management.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "runtime/base/clock.h"
#include "runtime/base/tensor.h"

namespace omserve::scheduler {

// A client's name for a sequence: a number or a text. 0 and "" together mean none.
struct SequenceId {
  uint64_t number = 0;
  std::string text;  // When it is not empty, `number` is 0.

  bool empty() const { return number == 0 && text.empty(); }
  bool is_text() const { return !text.empty(); }
  // As clients wrote it; long texts are cut.
  std::string ToString() const { return is_text() ? text.substr(0, 64) : std::to_string(number); }
  auto operator<=>(const SequenceId&) const = default;
};

// What one request says of its sequence.
struct SequenceTurn {
  SequenceId id;
  bool start = false;
  bool end = false;
};

// An input of one element a row that the server makes.
struct SequenceControl {
  enum class Kind { kStart, kReady, kEnd, kCorrelationId };
  Kind kind = Kind::kStart;
  int input = 0;  // Of the subgraph.
  // Of the element; kCorrelationId: 4 or 8, and the two values below are not used.
  size_t element_bytes = 4;
  std::string false_bytes;
  std::string true_bytes;
};

// An output of one request of a sequence that is an input of the next. It stays on the device.
struct SequenceState {
  int input = 0;        // Of the subgraph; of the same type and row dims as
  int output = 0;       // this.
  std::string initial;  // The bytes of one row; empty: zeros.
  // The new state may be written over the old one, where the device writes it in place.
  bool in_place = false;
  bool is_visible = false;  // Clients may ask for the output.
};

struct SequenceSpec {
  enum class Strategy {
    kDirect,  // A sequence has a row of a lane's batches to itself.
    kOldest,  // Batches take one row of each of a lane's sequences, the oldest first.
  };
  Strategy strategy = Strategy::kDirect;
  // Sequences that one lane holds at a time; with kDirect at most the rows of its largest gear.
  int slots_per_lane = 1;
  // A sequence that has nothing to do for so long ends, and its slot is free.
  Clock::duration max_idle = std::chrono::seconds(1);
  std::vector<SequenceControl> controls;
  std::vector<SequenceState> states;

  bool MakesInput(int input) const {
    for (const SequenceControl& control : controls) {
      if (control.input == input) {
        return true;
      }
    }
    return StateOfInput(input) >= 0;
  }
  bool HidesOutput(int output) const {
    const int state = StateOfOutput(output);
    return state >= 0 && !states[static_cast<size_t>(state)].is_visible;
  }
  // Indices into `states`; -1 for none.
  int StateOfInput(int input) const {
    for (size_t s = 0; s < states.size(); ++s) {
      if (states[s].input == input) {
        return static_cast<int>(s);
      }
    }
    return -1;
  }
  int StateOfOutput(int output) const {
    for (size_t s = 0; s < states.size(); ++s) {
      if (states[s].output == output) {
        return static_cast<int>(s);
      }
    }
    return -1;
  }
};

}  // namespace omserve::scheduler
