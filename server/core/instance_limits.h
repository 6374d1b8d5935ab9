// SPDX-License-Identifier: Apache-2.0
// What the instances of a model share with others, from instance_group[].rate_limiter.
#pragma once

#include <span>
#include <vector>

#include "absl/status/status.h"
#include "proto/inference/model_config.pb.h"
#include "scheduler/shared_rate_limiter.h"

namespace omserve::server {

// By instance; `groups` as PlaceInstances gives it for one device. Empty when none is limited.
std::vector<scheduler::InstanceLimit> InstanceLimits(const inference::ModelConfig& config,
                                                     std::span<const int> groups);

// Whether every instance could ever execute, before anything is loaded. `groups` as PlaceInstances
// gives it, by place; `device_ids` likewise. Errors: the rate limiter's, naming the group.
absl::Status CheckInstanceLimits(const inference::ModelConfig& config,
                                 std::span<const std::vector<int>> groups,
                                 std::span<const int> device_ids,
                                 const scheduler::SharedRateLimiter& limiter);

}  // namespace omserve::server
