// SPDX-License-Identifier: Apache-2.0
#include "scheduler/pair_table.h"

#include <algorithm>

namespace omserve::scheduler {
namespace {

// Of the trial's batches, of each of the two.
constexpr int kTrialRuns = 4;
// A batch that was beside another one for less of its time than this says little of the speed
// there.
constexpr double kLeastTogether = 0.25;
// A measurement that says that company speeds a batch up is noise; it may outweigh noise of the
// other kind in the mean, but not more.
constexpr double kFastest = 1.5;

constexpr double Seconds(Clock::duration time) {
  return std::chrono::duration<double>(time).count();
}

}  // namespace

void PairTable::AddSubgraph(int subgraph, const CostTable& alone) {
  const auto s = static_cast<size_t>(subgraph);
  alone_.resize(std::max(alone_.size(), s + 1));
  std::vector<Alone>& gears = alone_[s];
  gears.resize(alone.size());
  for (size_t gear = 0; gear < gears.size(); ++gear) {
    // As of the first batch: a model may serve for a while before it has company.
    gears[gear] = {.cost = alone.Expected(gear), .measured = Instant::max()};
  }
}

void PairTable::RemoveSubgraph(int subgraph) {
  const auto is_of = [subgraph](const Key& key) {
    return key.first == subgraph || key.second == subgraph;
  };
  alone_[static_cast<size_t>(subgraph)].clear();
  std::erase_if(pairs_, [&](const auto& entry) { return is_of(entry.first); });
  std::erase_if(apart_, is_of);
  for (Run& run : runs_) {
    // What it had beside it is not who has that number next.
    run.mixed = run.mixed || run.beside == subgraph;
  }
}

void PairTable::Advance(Instant now) {
  const bool is_pair = runs_.size() == 2 && runs_[0].subgraph != runs_[1].subgraph;
  if (is_pair) {
    for (size_t i = 0; i < 2; ++i) {
      Run& run = runs_[i];
      const int other = runs_[1 - i].subgraph;
      run.mixed = run.mixed || (run.beside >= 0 && run.beside != other);
      run.beside = other;
      run.together += now - advanced_;
    }
  } else if (runs_.size() > 1) {
    crowded_at_ = now;
  }
  advanced_ = now;
}

void PairTable::Begin(BatchId batch, int subgraph, size_t gear, Instant now) {
  if (options_.runs == 0) {
    return;
  }
  Advance(now);
  Alone& alone = alone_[static_cast<size_t>(subgraph)][gear];
  alone.measured = std::min(alone.measured, now);
  runs_.push_back({.batch = batch, .subgraph = subgraph, .gear = gear, .since = now});
}

void PairTable::End(BatchId batch, Clock::duration cost, bool counts, Instant now) {
  const auto found = std::find_if(runs_.begin(), runs_.end(),
                                  [batch](const Run& run) { return run.batch == batch; });
  if (found == runs_.end()) {
    return;
  }
  Advance(now);
  const Run run = *found;
  runs_.erase(found);
  const bool crowded = run.mixed || crowded_at_ > run.since;
  if (counts && !crowded && now > run.since) {
    if (run.beside < 0) {
      NoteAlone(run, cost, now);
    } else {
      NoteTogether(run, cost, now);
    }
  }
  for (size_t i = apart_.size(); i-- > 0;) {  // Judge may take it out.
    const Key key = apart_[i];
    if (key.first == run.subgraph || key.second == run.subgraph) {
      Judge(key, pairs_.at(key), now);
    }
  }
}

void PairTable::NoteAlone(const Run& run, Clock::duration cost, Instant now) {
  const Clock::duration took = cost > Clock::duration::zero() ? cost : now - run.since;
  Alone& alone = alone_[static_cast<size_t>(run.subgraph)][run.gear];
  const bool is_known =
      alone.cost > Clock::duration::zero() && now - alone.measured <= options_.valid;
  // As in the cost table: one run that the machine held up says little.
  alone.cost = is_known ? alone.cost + (std::min(took, 2 * alone.cost) - alone.cost) / 8 : took;
  alone.measured = now;
  for (const Key& key : apart_) {
    if (key.first == run.subgraph || key.second == run.subgraph) {
      ++pairs_.at(key).sides[key.first == run.subgraph ? 0 : 1].alone;
    }
  }
}

void PairTable::NoteTogether(const Run& run, Clock::duration cost, Instant now) {
  const Clock::duration ran = now - run.since;
  const double part = Seconds(run.together) / Seconds(ran);
  if (part < kLeastTogether) {
    return;
  }
  const Key key = std::minmax(run.subgraph, run.beside);
  Pair& pair = pairs_[key];
  if (pair.state != State::kTogether || now < pair.until) {
    return;  // Batches that were in flight when the two were set apart; or it is known well enough.
  }
  Side& side = pair.sides[key.first == run.subgraph ? 0 : 1];
  const Alone& alone = alone_[static_cast<size_t>(run.subgraph)][run.gear];
  if (alone.cost == Clock::duration::zero() || now - alone.measured > options_.valid) {
    ++side.unmeasured;
  } else {
    const double took = Seconds(cost > Clock::duration::zero() ? cost : ran);
    const double together = part * took;
    const double speed = (Seconds(alone.cost) - (took - together)) / together;
    ++side.runs;
    side.speed += (std::clamp(speed, 0.0, kFastest) - side.speed) / side.runs;
  }
  Judge(key, pair, now);
}

void PairTable::Judge(const Key& key, Pair& pair, Instant now) {
  Side& a = pair.sides[0];
  Side& b = pair.sides[1];
  switch (pair.state) {
    case State::kTogether:
      if (std::min(a.runs, b.runs) >= options_.runs) {
        const bool apart = a.speed + b.speed < options_.pays;
        verdicts_.push_back({key.first, key.second, a.speed, b.speed, apart});
        Move(key, pair, apart ? State::kApart : State::kTogether, now + options_.valid);
      } else if (std::min(a.unmeasured, b.unmeasured) >= options_.runs && now >= pair.next_trial) {
        pair.next_trial = now + 2 * options_.valid;
        Move(key, pair, State::kTrial, now + options_.longest_trial);
      }
      break;
    case State::kTrial:
      if (std::min(a.alone, b.alone) >= kTrialRuns || now >= pair.until) {
        Move(key, pair, State::kTogether, now);
      }
      break;
    case State::kApart:
      if (now >= pair.until) {
        Move(key, pair, State::kTogether, now);
      }
      break;
  }
}

void PairTable::Move(const Key& key, Pair& pair, State state, Instant until) {
  const bool was_apart = pair.state != State::kTogether;
  const bool is_apart = state != State::kTogether;
  pair.state = state;
  pair.until = until;
  pair.sides[0] = Side();
  pair.sides[1] = Side();
  if (was_apart != is_apart) {
    changes_.push_back(key);
    if (is_apart) {
      apart_.push_back(key);
    } else {
      std::erase(apart_, key);
    }
  }
}

bool PairTable::Apart(int a, int b) const {
  return std::find(apart_.begin(), apart_.end(), Key(std::minmax(a, b))) != apart_.end();
}

}  // namespace omserve::scheduler
