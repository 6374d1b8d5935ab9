// SPDX-License-Identifier: Apache-2.0
// The engine's part in rate limiting: it carries its lanes' questions to the limiter of all devices
// and the turns back. All of it runs on the device thread, but for the news of other engines.
#include <algorithm>

#include "runtime/base/check.h"
#include "scheduler/engine.h"

namespace omserve::scheduler {

absl::StatusOr<std::vector<int>> Engine::LimitLanes(int subgraph,
                                                    const std::vector<InstanceLimit>& limits) {
  std::vector<int> numbers(limits.size());
  std::vector<std::optional<SharedRateLimiter::Client>>& clients =
      turn_clients_[static_cast<size_t>(subgraph)];
  clients.resize(limits.size());
  for (size_t lane = 0; lane < limits.size(); ++lane) {
    if (limits[lane].needs.empty()) {
      continue;
    }
    OMSERVE_CHECK(options_.rate_limiter != nullptr, "an engine with limited lanes has a limiter");
    const absl::StatusOr<SharedRateLimiter::Client> client = options_.rate_limiter->AddLane(
        device_.id(), limits[lane], subgraph, static_cast<int>(lane), *this);
    if (!client.ok()) {
      DropTurnClients(static_cast<size_t>(subgraph));
      return client.status();
    }
    clients[lane] = *client;
    const auto first = std::find(limits.begin(), limits.end(), limits[lane]);
    numbers[lane] = 1 + static_cast<int>(first - limits.begin());
  }
  return numbers;
}

void Engine::DropTurnClients(size_t subgraph) {
  for (const std::optional<SharedRateLimiter::Client> client : turn_clients_[subgraph]) {
    if (client.has_value()) {
      options_.rate_limiter->RemoveLane(*client);
    }
  }
  turn_clients_[subgraph].clear();
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
  return *turn_clients_[static_cast<size_t>(subgraph)][static_cast<size_t>(lane)];
}

void Engine::OnTurnGranted(const TurnGranted& granted) { Post(granted); }

void Engine::Take(const TurnGranted& granted) { Feed(granted); }

}  // namespace omserve::scheduler
