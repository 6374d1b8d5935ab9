// SPDX-License-Identifier: Apache-2.0
// The work that was accepted for one subgraph and is not launched yet, in device time, by urgency:
// so that a prediction can say what goes before a row, and what does not.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "runtime/base/clock.h"

namespace omserve::scheduler {

// The order in which rows are served: priority (1 first), then deadline.
struct Urgency {
  uint64_t priority = 1;
  Clock::time_point deadline = Clock::time_point::max();
  auto operator<=>(const Urgency&) const = default;
};

// Deadlines are rounded up to an eighth of the time left, so that however many rows wait, they
// stand in a few dozen cells: every call costs a walk over these. Thread-compatible.
class Backlog final {
 public:
  // Adds work of a row at `now`. Returns the cell that holds it, for Remove.
  Urgency Add(const Urgency& row, Clock::duration work, Clock::time_point now);
  void Remove(const Urgency& cell, Clock::duration work);

  // The work that goes before a row that comes at `now`.
  Clock::duration Before(const Urgency& row, Clock::time_point now) const;
  Clock::duration total() const { return total_; }
  size_t cell_count() const { return cells_.size(); }

 private:
  struct Cell {
    Urgency urgency;
    Clock::duration work{0};
    size_t rows = 0;
  };

  std::vector<Cell> cells_;  // Ascending; none without rows.
  Clock::duration total_{0};
};

// When `work` has left the queue of lanes that are busy for `busy` from now on, each row taking the
// lane that is free first: the time until then. Sorts `busy`, which is not empty.
Clock::duration TimeToDrain(std::span<Clock::duration> busy, Clock::duration work);

}  // namespace omserve::scheduler
