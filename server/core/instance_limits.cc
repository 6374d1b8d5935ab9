// SPDX-License-Identifier: Apache-2.0
#include "server/core/instance_limits.h"

#include <algorithm>

#include "runtime/base/errors.h"

namespace omserve::server {
namespace {

scheduler::InstanceLimit LimitOf(const inference::ModelRateLimiter& from) {
  scheduler::InstanceLimit limit{.needs = {}, .priority = from.priority()};
  for (const inference::ModelRateLimiter::Resource& resource : from.resources()) {
    limit.needs.push_back({.name = resource.name(),
                           .count = std::max(1U, resource.count()),
                           .global = resource.global()});
  }
  return limit;
}

}  // namespace

std::vector<scheduler::InstanceLimit> InstanceLimits(const inference::ModelConfig& config,
                                                     std::span<const int> groups) {
  std::vector<scheduler::InstanceLimit> limits;
  for (const int group : groups) {
    limits.push_back(config.instance_group().empty()
                         ? scheduler::InstanceLimit()
                         : LimitOf(config.instance_group(group).rate_limiter()));
  }
  const bool any = std::any_of(limits.begin(), limits.end(),
                               [](const auto& limit) { return !limit.needs.empty(); });
  return any ? limits : std::vector<scheduler::InstanceLimit>();
}

absl::Status CheckInstanceLimits(const inference::ModelConfig& config,
                                 std::span<const std::vector<int>> groups,
                                 std::span<const int> device_ids,
                                 const scheduler::SharedRateLimiter& limiter) {
  for (size_t place = 0; place < groups.size(); ++place) {
    const std::vector<scheduler::InstanceLimit> limits = InstanceLimits(config, groups[place]);
    for (size_t i = 0; i < limits.size(); ++i) {
      const absl::Status status = limiter.Check(device_ids[place], limits[i]);
      if (!status.ok()) {
        return WithContext(status,
                           fmt::format("instance_group[{}].rate_limiter", groups[place][i]));
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace omserve::server
