// SPDX-License-Identifier: Apache-2.0
// Who read and wrote which bytes of one allocation, and which two of them nothing orders. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/hostacl/strict/vector_clock.h"

namespace omserve::hostacl {

struct Access {
  Epoch epoch;
  bool is_write = false;
  std::shared_ptr<const std::string> task;  // Its name, for people.
};

struct Conflict {
  Access earlier;
  size_t begin = 0;  // The first byte that both touch, from the allocation's start.
};

// Per byte range the newest write, and the reads since that are not ordered among each other. An
// older read that is ordered before a newer one is forgotten: who comes after the newer comes after
// both. Thread-compatible.
class AccessHistory final {
 public:
  // Notes that an actor with the clock `known` touches [begin, end). Gives the first earlier access
  // to any of these bytes that is not ordered before, where one of the two writes; an empty task
  // means that there is none.
  Conflict Note(size_t begin, size_t end, const Access& access, const VectorClock& known);
  // The same, leaving no trace: for what ends the allocation.
  Conflict Find(size_t begin, size_t end, bool is_write, const VectorClock& known) const;

 private:
  struct Segment {
    size_t end = 0;
    Access write;  // Its task is null before the first write.
    std::vector<Access> reads;
  };
  using Segments = std::map<size_t, Segment>;  // By begin; they do not overlap.

  // Makes a segment boundary at `at`.
  void SplitAt(size_t at);
  static Conflict FindIn(const Segment& segment, size_t begin, bool is_write,
                         const VectorClock& known);

  Segments segments_;
};

}  // namespace omserve::hostacl
