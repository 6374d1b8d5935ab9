// SPDX-License-Identifier: Apache-2.0
// How fast subgraphs compute beside each other on one device, measured, and which are better kept
// apart. Pure: time comes with the calls.
//
// The speed of `a` beside `b` is the progress that a batch of `a` makes while one of `b` runs, as a
// part of what it makes alone: 1 is unhindered, 0.5 as if the two took turns. A batch that takes C
// alone and took T, of which O beside `b`, had the speed (C - (T - O)) / O there. Two whose speeds
// add up to less than 1 are both done earlier one after the other. That happens where they want the
// same cache or memory bandwidth; not where they only share cores.
//
// What a batch takes alone is what warm-up measured, then what batches took that ran alone. Where
// two are always busy together there are none, and an estimate that is old says nothing of today:
// then the pair is kept apart for a moment, as a trial. Every verdict holds for a while and is then
// measured again. So nothing that was true once is believed for ever.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "runtime/base/clock.h"
#include "scheduler/cost_table.h"
#include "scheduler/ids.h"

namespace omserve::scheduler {

struct PairOptions {
  // Batches of each of the two that a speed is the mean of. 0: pairs are neither measured nor kept
  // apart.
  int runs = 16;
  // Kept apart while their speeds add up to less. Below 1, since one after the other the device is
  // idle for a moment whenever it is the other's turn.
  double pays = 0.9;
  Clock::duration valid = std::chrono::seconds(30);         // How long a measurement holds.
  Clock::duration longest_trial = std::chrono::seconds(1);  // At most every 2 x `valid`.
};

// What was measured of two subgraphs, a < b.
struct PairVerdict {
  int a = 0;
  int b = 0;
  double speed_a = 1;  // Beside the other one.
  double speed_b = 1;
  bool apart = false;
};

// Thread-compatible.
class PairTable final {
 public:
  explicit PairTable(const PairOptions& options) : options_(options) {}

  // `alone`: what warm-up measured, perhaps nothing.
  void AddSubgraph(int subgraph, const CostTable& alone);
  // Forgets it. Requires that no batch of it runs.
  void RemoveSubgraph(int subgraph);

  // A batch of the subgraph begins to compute.
  void Begin(BatchId batch, int subgraph, size_t gear, Instant now);
  // It is over; harmless where it never began. `cost`: what the device says that it computed; 0:
  // not known, and the time since Begin stands for it. `counts`: it took its usual way.
  void End(BatchId batch, Clock::duration cost, bool counts, Instant now);

  // Whether the two are to run one after the other. Changes with End only.
  bool Apart(int a, int b) const;
  // Pairs of which Apart has changed, each as (lesser, greater); until ClearChanges.
  const std::vector<std::pair<int, int>>& changes() const { return changes_; }
  // What was measured since ClearChanges.
  const std::vector<PairVerdict>& verdicts() const { return verdicts_; }
  void ClearChanges() {
    changes_.clear();
    verdicts_.clear();
  }

 private:
  struct Run {
    BatchId batch = 0;
    int subgraph = 0;
    size_t gear = 0;
    Instant since;
    int beside = -1;              // The subgraph that it had beside it,
    Clock::duration together{0};  // so long in all;
    bool mixed = false;           // it was not the only one.
  };
  // What a batch of a gear takes alone.
  struct Alone {
    Clock::duration cost{0};  // 0: not known.
    Instant measured;
  };
  // One of the two.
  struct Side {
    double speed = 1;
    int runs = 0;        // That `speed` is the mean of.
    int unmeasured = 0;  // Runs beside the other one of which it is not known what they take alone.
    int alone = 0;       // Runs of the trial.
  };
  enum class State : uint8_t { kTogether, kTrial, kApart };
  struct Pair {
    State state = State::kTogether;
    Instant until = Instant::min();       // Of kTrial and kApart; kTogether: not measured before.
    Instant next_trial = Instant::min();  // No earlier.
    Side sides[2];
  };
  using Key = std::pair<int, int>;  // The lesser index first.

  // Notes who ran beside whom since the last call.
  void Advance(Instant now);
  void NoteAlone(const Run& run, Clock::duration cost, Instant now);
  void NoteTogether(const Run& run, Clock::duration cost, Instant now);
  void Judge(const Key& key, Pair& pair, Instant now);
  void Move(const Key& key, Pair& pair, State state, Instant until);

  const PairOptions options_;
  std::vector<std::vector<Alone>> alone_;  // By subgraph and gear.
  std::map<Key, Pair> pairs_;              // Those that ran beside each other.
  std::vector<Key> apart_;                 // Those in kTrial or kApart.
  std::vector<Run> runs_;                  // That go on.
  Instant advanced_;                       // Until when they are known.
  Instant crowded_at_ = Instant::min();    // When more than one pair last ran at once.
  std::vector<Key> changes_;
  std::vector<PairVerdict> verdicts_;
};

}  // namespace omserve::scheduler
