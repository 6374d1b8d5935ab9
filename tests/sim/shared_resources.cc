// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/shared_resources.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "runtime/base/check.h"

namespace omserve::scheduler {
namespace {

// "bus" is of all devices together, "core" of each.
constexpr char kGlobal[] = "bus";
constexpr char kOfDevice[] = "core";

std::vector<ResourceSetting> Settings(const std::map<std::string, int>& totals) {
  std::vector<ResourceSetting> settings;
  for (const auto& [name, count] : totals) {
    settings.push_back({name, static_cast<uint32_t>(count), std::nullopt});
  }
  return settings;
}

}  // namespace

SharedResources::SharedResources(sim::Choices& random)
    : totals_({{kGlobal, random.Between(1, 2)}, {kOfDevice, random.Between(1, 3)}}),
      limiter_(Settings(totals_)) {
  for (int rivals = random.Between(0, 2); rivals > 0; --rivals) {
    InstanceLimit limit{.needs = {{.name = kGlobal, .global = true}},
                        .priority = static_cast<uint32_t>(random.Between(1, 3))};
    rivals_.push_back(Add(kOtherDevice, limit));
  }
}

RateLimiter::Client SharedResources::Add(int device, const InstanceLimit& limit) {
  const absl::StatusOr<RateLimiter::Client> client =
      limiter_.AddClient(device, limit.needs, limit.priority);
  OMSERVE_CHECK(client.ok(), "random needs are within the totals");
  limits_.resize(std::max(limits_.size(), *client + 1));
  limits_[*client] = limit;
  return *client;
}

void SharedResources::Remove(int subgraph) {
  std::erase_if(ids_, [&](const auto& entry) {
    if (entry.first.first != subgraph) {
      return false;
    }
    lanes_.erase(entry.second);
    limiter_.RemoveClient(entry.second);
    return true;
  });
}

InstanceLimit SharedResources::RandomLimit(sim::Choices& random) const {
  InstanceLimit limit{.needs = {}, .priority = static_cast<uint32_t>(random.Between(0, 3))};
  for (const auto& [name, total] : totals_) {
    if (random.Percent(60)) {
      limit.needs.push_back({.name = name,
                             .count = static_cast<uint32_t>(random.Between(1, total)),
                             .global = name == kGlobal});
    }
  }
  return limit;
}

std::vector<int> SharedResources::LimitLanes(int subgraph, int lanes, sim::Choices& random) {
  std::vector<int> numbers;
  InstanceLimit limit = RandomLimit(random);
  bool any = false;
  for (int lane = 0; lane < lanes; ++lane) {
    if (random.Percent(30)) {
      limit = RandomLimit(random);  // As of another instance group.
    }
    if (limit.needs.empty()) {
      numbers.push_back(0);
      continue;
    }
    any = true;
    const RateLimiter::Client client = Add(kDevice, limit);
    lanes_[client] = {.subgraph = subgraph, .lane = lane};
    ids_[{subgraph, lane}] = client;
    const auto first = std::find(limits_.begin(), limits_.end(), limit);
    numbers.push_back(1 + static_cast<int>(first - limits_.begin()));
  }
  return any ? numbers : std::vector<int>();
}

std::vector<TurnGranted> SharedResources::TakeGranted(RateLimiter::Client asker) {
  std::vector<TurnGranted> granted;
  for (const RateLimiter::Client client : granted_) {
    if (const auto lane = lanes_.find(client); lane != lanes_.end()) {
      granted.push_back({.subgraph = lane->second.subgraph,
                         .lane = lane->second.lane,
                         .ticket = lane->second.ticket,
                         .waited = client != asker});
    }  // Else a rival has it, and comes back by itself.
  }
  granted_.clear();
  return granted;
}

std::vector<TurnGranted> SharedResources::Ask(const AskTurn& command) {
  const RateLimiter::Client client = ids_.at({command.subgraph, command.lane});
  lanes_.at(client).ticket = command.ticket;
  if (command.renews) {
    limiter_.Renew(client, &granted_);
  } else {
    limiter_.Ask(client, &granted_);
  }
  return TakeGranted(client);
}

std::vector<TurnGranted> SharedResources::Return(const ReturnTurn& command) {
  const RateLimiter::Client client = ids_.at({command.subgraph, command.lane});
  limiter_.Return(client, command.used, &granted_);
  return TakeGranted(client);
}

bool SharedResources::StepRival(int rival, std::vector<TurnGranted>* granted) {
  const RateLimiter::Client client = Rival(rival);
  const bool asks = !limiter_.holds(client) && !limiter_.waits(client);
  if (asks) {
    limiter_.Ask(client, &granted_);
  } else {
    limiter_.Return(client, limiter_.holds(client), &granted_);
  }
  *granted = TakeGranted(client);
  return asks;
}

std::string SharedResources::Violation(const std::vector<std::pair<int, int>>& computing,
                                       bool ended) const {
  std::map<std::string, int> used;
  const auto use = [&](RateLimiter::Client client) {
    for (const ResourceNeed& need : limits_[client].needs) {
      used[need.name] += static_cast<int>(need.count);
    }
  };
  for (const std::pair<int, int>& lane : computing) {
    if (const auto found = ids_.find(lane); found != ids_.end()) {
      use(found->second);
    }
  }
  for (const RateLimiter::Client rival : rivals_) {
    if (limiter_.holds(rival)) {
      use(rival);
    }
  }
  for (const auto& [name, count] : used) {
    if (count > totals_.at(name)) {
      return fmt::format("{} of resource {} are used at once, and there are {}", count, name,
                         totals_.at(name));
    }
  }
  for (size_t client = 0; ended && client < limits_.size(); ++client) {
    if (limiter_.holds(client) || limiter_.waits(client)) {
      return "every turn is given back at the end";
    }
  }
  return "";
}

}  // namespace omserve::scheduler
