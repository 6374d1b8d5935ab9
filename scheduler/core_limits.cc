// SPDX-License-Identifier: Apache-2.0
// The core and lanes that share resources: when a turn is asked for, and when it is given back.
//
//   kNone -> kAsked -> kGranted -> kUsed -> kSpent -> kNone, or kAsked again
//      ^________/_________/   nothing is left to launch
//
// A turn lasts as long as something may run on the lane: also while a lane that hangs is being
// stopped. Only a device that is lost gives its turns back with batches in flight: it may be away
// for good, and nobody else shall wait for it.
//
// Rows are not launched ahead of their inputs to a limited lane. It would hold what others could
// use while it waits for another lane.
#include <algorithm>

#include "runtime/base/check.h"
#include "scheduler/core.h"

namespace omserve::scheduler {

bool Core::MayTakeTurn(const SubgraphState& state, const LaneState& lane) {
  switch (lane.turn) {
    case Turn::kFree:
    case Turn::kGranted:
      return true;
    case Turn::kAsked:
    case Turn::kUsed:
      return false;
    case Turn::kNone:
    case Turn::kSpent:
      break;
  }
  const auto asked =
      std::count_if(state.lanes.begin(), state.lanes.end(), [&lane](const LaneState& other) {
        return other.turn == Turn::kAsked && other.limit == lane.limit && other.serves;
      });
  int batches = 0;  // That the rows which wait would make.
  for (size_t b = 0; b < state.queues.size(); ++b) {
    const int most = state.subgraph->shape.buckets[b].max_rows();
    batches += (state.queues[b].ready_rows + most - 1) / most;
  }
  return asked < batches;
}

bool Core::HasTurn(SubgraphState& state, int lane) {
  LaneState& at = state.lanes[static_cast<size_t>(lane)];
  if (at.turn == Turn::kFree || at.turn == Turn::kGranted) {
    return true;
  }
  OMSERVE_CHECK(at.turn == Turn::kNone || at.turn == Turn::kSpent,
                "a lane that waits for its turn or uses it is not chosen");
  const bool renews = at.turn == Turn::kSpent;
  at.turn = Turn::kAsked;
  at.ticket = next_ticket_++;
  at.asked_at = now_;
  out_->push_back(AskTurn{
      .subgraph = state.subgraph->index, .lane = lane, .ticket = at.ticket, .renews = renews});
  return false;
}

void Core::UseTurn(LaneState& lane, Launch& launch) const {
  OMSERVE_CHECK(lane.turn == Turn::kGranted, "a limited lane is launched on in its turn");
  lane.turn = Turn::kUsed;
  launch.limited = true;
  launch.turn_wait = lane.turn_wait;
  if (lane.waited && launch.reason != ReleaseReason::kFull &&
      launch.reason != ReleaseReason::kDeadline && launch.reason != ReleaseReason::kMemory) {
    launch.reason = ReleaseReason::kTurn;
  }
}

bool Core::AwaitsTurn(const SubgraphState& state) {
  return std::any_of(state.lanes.begin(), state.lanes.end(), [](const LaneState& lane) {
    return lane.serves && lane.turn == Turn::kAsked;
  });
}

bool Core::HasRowsFor(const SubgraphState& state, size_t lane) {
  if (state.sequences.has_value()) {
    return !state.sequences->ready(static_cast<int>(lane)).empty();
  }
  return std::any_of(state.queues.begin(), state.queues.end(),
                     [](const Queue& queue) { return queue.ready_rows > 0; });
}

void Core::ReturnTurns(SubgraphState& state, bool keeps_granted) {
  for (size_t l = 0; l < state.lanes.size(); ++l) {
    LaneState& lane = state.lanes[l];
    const bool keeps = lane.turn == Turn::kFree || lane.turn == Turn::kNone ||
                       (lane.turn == Turn::kUsed && !device_lost_) ||
                       (lane.turn == Turn::kGranted && keeps_granted && HasRowsFor(state, l)) ||
                       (lane.turn == Turn::kAsked && lane.serves && HasRowsFor(state, l));
    if (keeps) {
      continue;
    }
    const bool used = lane.turn == Turn::kUsed || lane.turn == Turn::kSpent;
    lane.turn = Turn::kNone;
    out_->push_back(
        ReturnTurn{.subgraph = state.subgraph->index, .lane = static_cast<int>(l), .used = used});
  }
}

void Core::On(const TurnGranted& event) {
  const SubgraphState& state = subgraphs_[static_cast<size_t>(event.subgraph)];
  if (static_cast<size_t>(event.lane) >= state.lanes.size()) {
    return;  // It was unloaded since.
  }
  LaneState& lane = LaneAt(event.subgraph, event.lane);
  if (lane.turn == Turn::kAsked && lane.ticket == event.ticket) {
    lane.turn = Turn::kGranted;
    lane.waited = event.waited;
    lane.turn_wait = event.waited ? now_ - lane.asked_at : Clock::duration::zero();
    Touch(event.subgraph);
  }  // Else it was given back while the grant was on its way.
}

}  // namespace omserve::scheduler
