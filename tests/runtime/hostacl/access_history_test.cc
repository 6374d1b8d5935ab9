// SPDX-License-Identifier: Apache-2.0
// Strict mode's record of accesses, against one that remembers every access to every byte.
#include "runtime/hostacl/strict/access_history.h"

#include <catch2/catch.hpp>
#include <random>
#include <vector>

namespace omserve::hostacl {
namespace {

Access By(ActorIndex actor, uint64_t tick, bool is_write) {
  return {{actor, tick}, is_write, std::make_shared<const std::string>("task")};
}

VectorClock ClockAt(ActorIndex actor, uint64_t ticks) {
  VectorClock clock;
  for (uint64_t i = 0; i < ticks; ++i) {
    clock.Advance(actor);
  }
  return clock;
}

// A write that nothing orders after another actor's write to one common byte conflicts with it.
TEST_CASE("Overlapping unordered writes conflict where they overlap") {
  AccessHistory history;
  CHECK(history.Note(0, 10, By(1, 1, true), ClockAt(1, 1)).earlier.task == nullptr);
  const Conflict conflict = history.Note(9, 20, By(2, 1, true), ClockAt(2, 1));
  REQUIRE(conflict.earlier.task != nullptr);
  CHECK(conflict.earlier.epoch == Epoch{1, 1});
  CHECK(conflict.begin == 9);
}

// Neighbours that touch do not overlap, and two reads never conflict.
TEST_CASE("Adjacent ranges and two reads are no conflict") {
  AccessHistory history;
  CHECK(history.Note(0, 10, By(1, 1, true), ClockAt(1, 1)).earlier.task == nullptr);
  CHECK(history.Note(10, 20, By(2, 1, true), ClockAt(2, 1)).earlier.task == nullptr);
  CHECK(history.Note(20, 30, By(1, 2, false), ClockAt(1, 2)).earlier.task == nullptr);
  CHECK(history.Note(20, 30, By(2, 2, false), ClockAt(2, 2)).earlier.task == nullptr);
}

// Remembers every access; a conflict is any earlier one to a common byte that is not known.
class EveryAccess final {
 public:
  bool Note(size_t begin, size_t end, const Access& access, const VectorClock& known) {
    bool conflicts = false;
    for (const Entry& entry : entries_) {
      conflicts = conflicts ||
                  (entry.begin < end && begin < entry.end &&
                   (entry.access.is_write || access.is_write) && !known.Knows(entry.access.epoch));
    }
    entries_.push_back({begin, end, access});
    return conflicts;
  }

 private:
  struct Entry {
    size_t begin;
    size_t end;
    Access access;
  };
  std::vector<Entry> entries_;
};

// Actors access random ranges and learn from each other at random. Up to the first conflict, after
// which the short record may forget whom it has reported, both records say the same.
TEST_CASE("The record agrees with one that forgets nothing") {
  size_t conflicts = 0;
  for (uint32_t seed = 0; seed < 2000; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&random](size_t limit) { return random() % limit; };
    constexpr size_t kActors = 4;
    std::vector<VectorClock> clocks(kActors);
    AccessHistory history;
    EveryAccess oracle;
    for (int step = 0; step < 60; ++step) {
      const auto actor = static_cast<ActorIndex>(below(kActors));
      if (below(3) != 0) {
        clocks[actor].Join(clocks[below(kActors)]);
      }
      clocks[actor].Advance(actor);
      const size_t begin = below(16);
      const size_t end = begin + 1 + below(6);
      const Access access = By(actor, clocks[actor].at(actor), below(3) == 0);
      const bool expected = oracle.Note(begin, end, access, clocks[actor]);
      const Conflict found = history.Note(begin, end, access, clocks[actor]);
      INFO("seed " << seed << ", step " << step);
      REQUIRE((found.earlier.task != nullptr) == expected);
      if (expected) {
        CHECK(found.begin >= begin);
        CHECK(found.begin < end);
        ++conflicts;
        break;
      }
    }
  }
  CHECK(conflicts > 100);
}

}  // namespace
}  // namespace omserve::hostacl
