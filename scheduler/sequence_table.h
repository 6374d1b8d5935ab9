// SPDX-License-Identifier: Apache-2.0
// The sequences of one model: which has which slot of which lane, which request of it may run next,
// and when it is over. Pure: no clock, lock, thread or device.
//
// A sequence begins with a request that says START. It takes the lowest free slot of the lane that
// has the most of them, or waits in the backlog, the oldest first, until one is free. Its requests
// run in the order of their arrival, one at a time. It ends, and its slot is free,
//   - after its request that says END,
//   - when it has had nothing to do for `max_idle`,
//   - with Break, when one of its requests was accepted and not computed: whatever came after would
//     be computed from a wrong state,
//   - when its lane goes out of service;
// but not before the request of it that runs is over. START for a sequence that is open restarts it
// where it is: requests that were sent before still run, the state begins anew.
//
// Invariants, checked by tests/scheduler/sequence_table_test.cc:
//  1. A slot belongs to one sequence at most.
//  2. One request of a sequence runs at most, and they run in the order of arrival.
//  3. No sequence waits for a slot while one of a lane in service is free.
//  4. Every sequence has a request that waits or runs, or ends by `next_expiry`.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>
#include <vector>

#include "runtime/base/clock.h"
#include "scheduler/ids.h"
#include "scheduler/sequence.h"

namespace omserve::scheduler {

// Thread-compatible.
class SequenceTable final {
 public:
  struct Options {
    int lanes = 1;
    int slots_per_lane = 1;
    Clock::duration max_idle = std::chrono::seconds(1);
  };
  explicit SequenceTable(const Options& options);

  // The request that may run now in a slot. Ordered by age.
  struct Ready {
    Instant since;  // When it arrived.
    RequestId request = 0;
    int slot = 0;
    bool start = false;
    bool end = false;
    auto operator<=>(const Ready&) const = default;
  };

  // Takes a request; false when it does not say START and no such sequence is open. `now` never
  // decreases.
  bool Arrive(RequestId request, const SequenceTurn& turn, Instant now);
  // The requests that may run now on the lane, at most one a slot.
  const std::set<Ready>& ready(int lane) const;
  // A request from ready() runs now.
  void Launch(RequestId request);
  // What was launched is over. Does nothing for a request that is not here.
  void Finish(RequestId request, Instant now);
  // The request will not be computed, or not rightly: its sequence ends. Gives the other requests
  // of it that waited, in order; all that waited are here no longer. Does nothing for a request
  // that is not here.
  std::vector<RequestId> Break(RequestId request);

  // The lane is out of service, and its sequences have ended. Gives their requests that waited.
  std::vector<RequestId> LaneDown(int lane);
  void LaneUp(int lane);
  // All sequences end, those in the backlog too, and no lane serves.
  void EndAll();

  // Ends the sequences that have idled too long.
  void Expire(Instant now);
  // When Expire has something to do next; max(): not before something else happens.
  Instant next_expiry() const;

  struct Counts {
    size_t active = 0;   // Sequences with a slot,
    size_t backlog = 0;  // and without.
    size_t slots = 0;    // Of lanes in service.
    size_t waiting = 0;  // Requests that do not run.
    // Since the beginning.
    uint64_t started = 0;   // Restarts too.
    uint64_t finished = 0;  // By END.
    uint64_t expired = 0;
    uint64_t broken = 0;       // By Break, and with their lane.
    uint64_t not_started = 0;  // Requests that were not taken.
  };
  Counts counts() const;
  size_t waiting() const { return waiting_; }

 private:
  using Number = uint64_t;  // Of a sequence; never used twice, where ids are.

  struct Waiting {
    RequestId request = 0;
    Instant since;
    bool start = false;
    bool end = false;
  };
  struct Sequence {
    SequenceId id;
    bool is_open = true;     // Takes requests: END was not sent and it is not broken.
    bool is_broken = false;  // Ended before its time.
    int lane = -1;           // -1: in the backlog.
    int slot = -1;
    std::deque<Waiting> waiting;
    std::optional<Waiting> running;
    Instant idle_until = Instant::max();  // Set while nothing waits or runs.
  };
  struct Lane {
    bool serves = true;
    std::set<int> free_slots;
    std::set<Number> sequences;
    std::set<Ready> ready;
  };

  static Ready ReadyOf(const Sequence& sequence);
  // What waits first, if it may run, into its lane's `ready`; else the sequence idles or is over.
  void Settle(Number number, Instant now);
  void FillSlots();
  // Ends a sequence before its time: forgets what waits, in order; then the sequence itself, unless
  // a request of it runs.
  void Close(Number number, std::vector<RequestId>* dropped);
  void Remove(Number number);

  const Options options_;
  std::vector<Lane> lanes_;
  Number next_number_ = 1;
  std::unordered_map<Number, Sequence> sequences_;
  std::map<SequenceId, Number> open_;
  std::set<Number> backlog_;  // Numbers ascend with age.
  std::set<std::pair<Instant, Number>> idle_;
  std::unordered_map<RequestId, Number> requests_;
  size_t waiting_ = 0;
  Counts totals_;
};

}  // namespace omserve::scheduler
