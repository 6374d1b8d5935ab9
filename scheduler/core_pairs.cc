// SPDX-License-Identifier: Apache-2.0
// The core and subgraphs that are better kept apart (pair_table.h).
//
// While one of two has a batch in flight nothing of the other is launched. Which of them is next is
// decided by their most urgent rows: who has rows to launch and may not *claims* its turn, and the
// other launches nothing before rows that are more urgent than its own. A claim stands only while
// nothing but that keeps the rows back, or a turn of the limiter that is asked for: who waits for
// memory or for company claims nothing. So those with the most urgent claim wait for batches in
// flight alone, and these end.
//
// Subgraphs that keep sequences are not kept apart; nor is what is launched in the arena, where
// memory stands still.
#include <algorithm>

#include "scheduler/core.h"

namespace omserve::scheduler {

void Core::TakeVerdicts() {
  for (const PairVerdict& verdict : pairs_.verdicts()) {
    out_->push_back(verdict);
  }
  for (const auto& [a, b] : pairs_.changes()) {
    for (const auto& [one, other] : {std::pair(a, b), std::pair(b, a)}) {
      std::vector<int>& apart_from = subgraphs_[static_cast<size_t>(one)].apart_from;
      if (pairs_.Apart(a, b)) {
        apart_from.push_back(other);
      } else {
        std::erase(apart_from, other);
      }
      Touch(one);
    }
  }
  pairs_.ClearChanges();
}

void Core::TouchApart(const SubgraphState& state) {
  for (const int other : state.apart_from) {
    Touch(other);
  }
}

bool Core::MayGoNow(const SubgraphState& state, const QueueKey& head) const {
  return std::all_of(state.apart_from.begin(), state.apart_from.end(), [&](int s) {
    const SubgraphState& other = subgraphs_[static_cast<size_t>(s)];
    // A lane that hangs is not waited for: what it has is over when it was stopped.
    const bool runs =
        std::any_of(other.lanes.begin(), other.lanes.end(),
                    [](const LaneState& lane) { return lane.serves && !lane.batches.empty(); });
    return !runs && (!other.claim.has_value() || head < *other.claim);
  });
}

void Core::Claim(SubgraphState& state, const QueueKey& head) {
  if (state.apart_from.empty()) {
    return;
  }
  if (state.claim.has_value() && *state.claim < head) {
    TouchApart(state);  // Its most urgent rows are gone: others may be before it now.
  }
  state.claim = head;
}

void Core::RenewClaim(SubgraphState& state) {
  if (!state.claim.has_value()) {
    return;
  }
  OrderBuckets(state);
  if (state.order.empty() || !AwaitsTurn(state)) {
    Unclaim(state);
    return;
  }
  const Queue& queue = state.queues[static_cast<size_t>(state.order.front())];
  Claim(state, (queue.ready.empty() ? queue.ahead : queue.ready).begin()->first);
}

void Core::Unclaim(SubgraphState& state) {
  if (state.claim.has_value()) {
    state.claim.reset();
    TouchApart(state);
  }
}

}  // namespace omserve::scheduler
