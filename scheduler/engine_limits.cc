// SPDX-License-Identifier: Apache-2.0
// The engine's part in rate limiting: it carries its lanes' questions to the limiter of all devices
// and the turns back. All of it runs on the device thread, but for the news of other engines.
#include <algorithm>

#include "runtime/base/check.h"
#include "runtime/base/status_macros.h"
#include "scheduler/engine.h"

namespace omserve::scheduler {

absl::StatusOr<std::vector<int>> Engine::LimitLanes(int subgraph,
                                                    const std::vector<InstanceLimit>& limits) {
  std::vector<int> numbers(limits.size());
  std::vector<SharedRateLimiter::Client> clients(limits.size());
  for (size_t lane = 0; lane < limits.size(); ++lane) {
    if (limits[lane].needs.empty()) {
      continue;
    }
    OMSERVE_CHECK(options_.rate_limiter != nullptr, "an engine with limited lanes has a limiter");
    ASSIGN_OR_RETURN(clients[lane],
                     options_.rate_limiter->AddLane(device_.id(), limits[lane], subgraph,
                                                    static_cast<int>(lane), *this));
    const auto first = std::find(limits.begin(), limits.end(), limits[lane]);
    numbers[lane] = 1 + static_cast<int>(first - limits.begin());
  }
  turn_clients_.push_back(std::move(clients));
  return numbers;
}

void Engine::Obey(const AskTurn& command) {
  options_.rate_limiter->Ask(TurnClient(command.subgraph, command.lane), command.ticket,
                             command.renews, &granted_);
  NoteGranted();
}

void Engine::Obey(const ReturnTurn& command) {
  options_.rate_limiter->Return(TurnClient(command.subgraph, command.lane), command.used,
                                &granted_);
  NoteGranted();
}

void Engine::NoteGranted() {
  own_events_.insert(own_events_.end(), granted_.begin(), granted_.end());
  granted_.clear();
}

SharedRateLimiter::Client Engine::TurnClient(int subgraph, int lane) const {
  return turn_clients_[static_cast<size_t>(subgraph)][static_cast<size_t>(lane)];
}

void Engine::OnTurnGranted(const TurnGranted& granted) { Post(granted); }

void Engine::Take(const TurnGranted& granted) { Feed(granted); }

}  // namespace omserve::scheduler
