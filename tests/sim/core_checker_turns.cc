// SPDX-License-Identifier: Apache-2.0
// CoreChecker's view of lanes that share resources: who asks, who holds, and for what. That there
// is enough of what is held is SharedResources' to check.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/core_checker.h"

namespace omserve::scheduler {

void CoreChecker::Apply(const TurnGranted& event) {
  std::vector<Turn>& turns = subgraphs_.at(static_cast<size_t>(event.subgraph)).turns;
  if (static_cast<size_t>(event.lane) >= turns.size()) {
    ++counts_.turns_late;  // Of one that was there before.
    return;
  }
  Turn& turn = TurnOf(event.subgraph, event.lane);
  if (!turn.asked || turn.ticket != event.ticket) {
    ++counts_.turns_late;
    return;
  }
  turn.asked = false;
  turn.held = true;
  turn.waited = event.waited;
  turn.granted_at = now_;
  counts_.turns_waited += event.waited ? 1 : 0;
}

void CoreChecker::CheckCommand(const AskTurn& ask) {
  ++counts_.turns_asked;
  const SubgraphRef& ref = subgraphs_.at(static_cast<size_t>(ask.subgraph));
  const auto lane = static_cast<size_t>(ask.lane);
  Turn& turn = TurnOf(ask.subgraph, ask.lane);
  const std::string name = fmt::format("s{} lane {}", ask.subgraph, ask.lane);
  Expect(ref.LimitOf(lane) != 0, name + " asks though it shares nothing");
  Expect(ref.serves[lane] && !device_lost_, name + " asks while it is out of service");
  Expect(ref.in_flight[lane] == 0, name + " asks while its batch runs");
  Expect(!turn.asked, name + " asks twice");
  Expect(turn.held == ask.renews && (!turn.held || turn.used),
         name + " renews only what a batch has used");
  Expect(ask.ticket > last_ticket_, "tickets ascend");
  last_ticket_ = ask.ticket;
  counts_.turns_renewed += ask.renews ? 1 : 0;
  turn = {.asked = true, .ticket = ask.ticket, .asked_at = now_};
}

void CoreChecker::CheckCommand(const ReturnTurn& back) {
  const SubgraphRef& ref = subgraphs_.at(static_cast<size_t>(back.subgraph));
  Turn& turn = TurnOf(back.subgraph, back.lane);
  const std::string name = fmt::format("s{} lane {}", back.subgraph, back.lane);
  const bool runs = ref.in_flight[static_cast<size_t>(back.lane)] > 0;
  Expect(turn.asked || turn.held, name + " gives back what it has not");
  Expect(turn.used == back.used, name + " tells whether its turn was used");
  Expect(!runs || losing_, name + " gives its turn back while its batch runs");
  counts_.turns_unused += back.used ? 0 : 1;
  counts_.turns_lost += runs ? 1 : 0;
  turn = {};
}

void CoreChecker::CheckTurn(const Launch& launch) {
  const SubgraphRef& ref = subgraphs_[static_cast<size_t>(launch.subgraph)];
  const auto lane = static_cast<size_t>(launch.lane);
  Expect(launch.limited == (ref.LimitOf(lane) != 0), "a batch tells whether its lane is limited");
  if (ref.LimitOf(lane) == 0) {
    Expect(launch.turn_wait == Clock::duration::zero(),
           "a lane that shares nothing waits for none");
    return;
  }
  Turn& turn = TurnOf(launch.subgraph, launch.lane);
  Expect(turn.held && !turn.used, "a limited lane launches one batch in its turn");
  Expect(ref.in_flight[lane] == 0, "a limited lane has one batch at a time");
  Expect(
      launch.turn_wait == (turn.waited ? turn.granted_at - turn.asked_at : Clock::duration::zero()),
      "a batch tells how long its lane waited for its turn");
  turn.used = true;
  ++counts_.turns_used;
}

void CoreChecker::CheckTurnReason(const Launch& launch, bool full) {
  const bool waited = launch.limited && TurnOf(launch.subgraph, launch.lane).waited;
  const bool other =
      full || launch.reason == ReleaseReason::kDeadline || launch.reason == ReleaseReason::kMemory;
  Expect((launch.reason == ReleaseReason::kTurn) == (waited && !other),
         "a batch whose lane waited for its turn leaves for that reason, if for no better one");
}

void CoreChecker::CheckTurnsAfter() {
  for (const SubgraphRef& ref : subgraphs_) {
    for (size_t lane = 0; lane < ref.turns.size(); ++lane) {
      const Turn& turn = ref.turns[lane];
      const std::string name = fmt::format("s{} lane {}", ref.subgraph->index, lane);
      Expect(!turn.held || (ref.in_flight[lane] > 0 && !device_lost_),
             name + " holds a turn for nothing");
      Expect(!turn.asked || (ref.serves[lane] && !device_lost_),
             name + " waits for a turn while it is out of service");
      Expect(!turn.asked || core_.queued_rows(ref.subgraph->index) > 0,
             name + " waits for a turn for nothing");
    }
  }
}

bool CoreChecker::AsksFor(const SubgraphRef& ref, int limit) {
  for (size_t lane = 0; lane < ref.turns.size(); ++lane) {
    if (ref.turns[lane].asked && ref.LimitOf(lane) == limit) {
      return true;
    }
  }
  return false;
}

int CoreChecker::LoadOf(const SubgraphRef& ref, size_t lane, Kind kind) {
  if (!ref.serves[lane]) {
    return -1;
  }
  const int limit = ref.LimitOf(lane);
  if (limit == 0) {
    return ref.in_flight[lane];
  }
  if (ref.in_flight[lane] > 0 || ref.turns[lane].asked || kind == Kind::kAhead) {
    return -1;
  }
  // Requests of sequences wait for their lane, others for any that needs the same.
  return !ref.subgraph->sequence.has_value() && AsksFor(ref, limit) ? -1 : 0;
}

}  // namespace omserve::scheduler
