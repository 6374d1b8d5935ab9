// SPDX-License-Identifier: Apache-2.0
#include "scheduler/rate_limiter.h"

#include <algorithm>

#include "runtime/base/check.h"
#include "runtime/base/errors.h"

namespace omserve::scheduler {

std::optional<uint32_t> RateLimiter::SettingOf(const ResourceNeed& need, int device) const {
  std::optional<uint32_t> count;
  for (const ResourceSetting& setting : settings_) {
    if (setting.name != need.name) {
      continue;
    }
    if (!need.global && setting.device == device) {
      return setting.count;
    }
    count = setting.device.has_value() ? count : setting.count;
  }
  return count;
}

absl::Status RateLimiter::Check(int device, const std::vector<ResourceNeed>& needs) const {
  std::set<std::string> names;
  for (const ResourceNeed& need : needs) {
    if (!names.insert(need.name).second) {
      return InvalidArgument("rate limiter resource '{}' is needed twice", need.name);
    }
    const auto known = is_global_.find(need.name);
    if (known != is_global_.end() && known->second != need.global) {
      return InvalidArgument(
          "rate limiter resource '{}' is {} here, and {} for another model; say 'global' for both "
          "or for none",
          need.name, need.global ? "global" : "of each device",
          known->second ? "global" : "of each device");
    }
    if (need.global && std::any_of(settings_.begin(), settings_.end(), [&need](const auto& s) {
          return s.name == need.name && s.device.has_value();
        })) {
      return InvalidArgument(
          "rate limiter resource '{}' is global here, and rate_limit.resources of the daemon gives "
          "it to single devices",
          need.name);
    }
    const std::optional<uint32_t> given = SettingOf(need, device);
    if (given.has_value() && *given < need.count) {
      return InvalidArgument(
          "an instance on device {} needs {} of rate limiter resource '{}', of which there are {}: "
          "it could never execute; see rate_limit.resources of the daemon",
          device, need.count, need.name, *given);
    }
  }
  return absl::OkStatus();
}

size_t RateLimiter::ResourceFor(const ResourceNeed& need, int device) {
  const std::optional<int> of = need.global ? std::nullopt : std::optional(device);
  const auto vacant = std::find_if(resources_.begin(), resources_.end(),
                                   [](const Resource& resource) { return resource.clients == 0; });
  const auto [at, added] =
      by_name_.try_emplace({need.name, of}, static_cast<size_t>(vacant - resources_.begin()));
  if (added) {
    if (vacant == resources_.end()) {
      resources_.emplace_back();
      reserved_.push_back(false);
    }
    const std::optional<uint32_t> given = SettingOf(need, device);
    resources_[at->second] = {.name = need.name,
                              .device = of,
                              .total = given.value_or(0),
                              .free = given.value_or(0),
                              .is_given = given.has_value()};
    is_global_[need.name] = need.global;
  }
  Resource& resource = resources_[at->second];
  ++resource.clients;
  resource.surplus = 0;
  if (resource.total < need.count) {  // No setting: as many as who needs most.
    resource.free += need.count - resource.total;
    resource.total = need.count;
  }
  return at->second;
}

absl::StatusOr<RateLimiter::Client> RateLimiter::AddClient(int device,
                                                           const std::vector<ResourceNeed>& needs,
                                                           uint32_t priority) {
  RETURN_IF_ERROR(Check(device, needs));
  ClientState state;
  state.priority = std::max<uint32_t>(1, priority);
  for (const ResourceNeed& need : needs) {
    state.needs.push_back({ResourceFor(need, device), need.count});
  }
  const auto vacant = std::find_if(clients_.begin(), clients_.end(),
                                   [](const ClientState& other) { return other.is_vacant; });
  const auto client = static_cast<Client>(vacant - clients_.begin());
  if (vacant == clients_.end()) {
    clients_.emplace_back();
  }
  clients_[client] = std::move(state);
  return client;
}

void RateLimiter::RemoveClient(Client client) {
  OMSERVE_CHECK(clients_[client].state == State::kIdle, "an instance that is gone has no turn");
  const std::vector<Need> needs = std::move(clients_[client].needs);
  clients_[client] = {.needs = {}, .is_vacant = true};
  for (const Need& need : needs) {
    Resource& resource = resources_[need.resource];
    if (--resource.clients == 0) {
      by_name_.erase({resource.name, resource.device});
      const auto same = by_name_.lower_bound({resource.name, std::nullopt});
      if (same == by_name_.end() || same->first.first != resource.name) {
        is_global_.erase(resource.name);
      }
      continue;
    }
    if (resource.is_given) {
      continue;
    }
    uint32_t most = 0;
    for (const ClientState& other : clients_) {
      for (const Need& left : other.needs) {
        most = left.resource == need.resource ? std::max(most, left.count) : most;
      }
    }
    resource.surplus = resource.total - most;
    DropSurplus(resource);
  }
}

void RateLimiter::DropSurplus(Resource& resource) {
  const uint32_t dropped = std::min(resource.surplus, resource.free);
  resource.surplus -= dropped;
  resource.free -= dropped;
  resource.total -= dropped;
}

void RateLimiter::Wait(Client client) {
  ClientState& state = clients_[client];
  state.state = State::kWaits;
  state.turns = std::max(state.turns, now_turns_);
  state.asked = next_asked_++;
  waiting_.emplace(state.turns, state.asked, client);
}

void RateLimiter::Free(const ClientState& state) {
  for (const Need& need : state.needs) {
    Resource& resource = resources_[need.resource];
    resource.free += need.count;
    OMSERVE_CHECK(resource.free <= resource.total, "what comes back was given out");
    DropSurplus(resource);
  }
}

void RateLimiter::Ask(Client client, std::vector<Client>* granted) {
  OMSERVE_CHECK(clients_[client].state == State::kIdle,
                "a client asks when it has nothing and waits for nothing");
  Wait(client);
  GrantWaiting(granted);
}

void RateLimiter::Renew(Client client, std::vector<Client>* granted) {
  OMSERVE_CHECK(holds(client), "who renews has executed");
  Free(clients_[client]);
  Wait(client);
  GrantWaiting(granted);
}

void RateLimiter::Return(Client client, bool used, std::vector<Client>* granted) {
  ClientState& state = clients_[client];
  if (state.state == State::kIdle) {
    return;
  }
  if (state.state == State::kWaits) {
    waiting_.erase({state.turns, state.asked, client});
  } else {
    Free(state);
    state.turns -= used ? 0 : state.priority;
  }
  state.state = State::kIdle;
  GrantWaiting(granted);
}

void RateLimiter::GrantWaiting(std::vector<Client>* granted) {
  std::fill(reserved_.begin(), reserved_.end(), false);
  for (auto at = waiting_.begin(); at != waiting_.end();) {
    const Client client = std::get<2>(*at);
    ClientState& state = clients_[client];
    const bool fits = std::all_of(state.needs.begin(), state.needs.end(), [this](const Need& need) {
      return !reserved_[need.resource] && resources_[need.resource].free >= need.count;
    });
    if (!fits) {
      // Who comes after may not take what this one waits for: else a large need would wait for ever
      // behind small ones.
      for (const Need& need : state.needs) {
        reserved_[need.resource] = true;
      }
      ++at;
      continue;
    }
    for (const Need& need : state.needs) {
      resources_[need.resource].free -= need.count;
    }
    now_turns_ = std::max(now_turns_, state.turns);
    state.turns += state.priority;
    state.state = State::kHolds;
    at = waiting_.erase(at);
    granted->push_back(client);
  }
}

std::vector<RateLimiter::Usage> RateLimiter::usage() const {
  std::vector<Usage> all;
  for (const Resource& resource : resources_) {
    if (resource.clients == 0) {
      continue;
    }
    all.push_back({.name = resource.name,
                   .device = resource.device,
                   .total = resource.total,
                   .held = resource.total - resource.free});
  }
  return all;
}

}  // namespace omserve::scheduler
