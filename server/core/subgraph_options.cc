// SPDX-License-Identifier: Apache-2.0
#include "server/core/subgraph_options.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace omserve::server {
namespace {

using inference::ModelConfig;

scheduler::BatchPolicyOptions PolicyOf(const config::LoadedModelConfig& loaded) {
  const inference::ModelDynamicBatching& batching = loaded.config.dynamic_batching();
  scheduler::BatchPolicyOptions policy;
  policy.preferred_rows.assign(batching.preferred_batch_size().begin(),
                               batching.preferred_batch_size().end());
  std::sort(policy.preferred_rows.begin(), policy.preferred_rows.end());
  // An hour is past any use, and keeps the sum with an instant from overflowing.
  constexpr uint64_t kMostUs = 3'600'000'000;
  policy.max_delay = std::chrono::microseconds(
      static_cast<int64_t>(std::min(kMostUs, batching.max_queue_delay_microseconds())));
  policy.derives_delay = !loaded.source.Has("dynamic_batching.max_queue_delay_microseconds");
  return policy;
}

int QueueRows(const inference::ModelQueuePolicy& policy) {
  constexpr uint32_t kMost = 1U << 30;
  return static_cast<int>(std::min(policy.max_queue_size(), kMost));
}

// With priorities each level has a bound of its own, and the server's holds for all together.
int QueueRowsOf(const ModelConfig& config, int fallback) {
  const inference::ModelDynamicBatching& batching = config.dynamic_batching();
  const int own = QueueRows(batching.default_queue_policy());
  return own == 0 || batching.priority_levels() > 0 ? fallback : own;
}

scheduler::Core::LevelBounds LevelRowsOf(const ModelConfig& config) {
  const inference::ModelDynamicBatching& batching = config.dynamic_batching();
  scheduler::Core::LevelBounds bounds;
  if (batching.priority_levels() > 0) {
    bounds.each = QueueRows(batching.default_queue_policy());
    for (const auto& [level, policy] : batching.priority_queue_policy()) {
      bounds.own[level] = QueueRows(policy);
    }
  }
  return bounds;
}

Clock::duration QueueTimeOf(const ModelConfig& config) {
  constexpr uint64_t kMostUs = 3'600'000'000;
  return std::chrono::microseconds(static_cast<int64_t>(std::min(
      kMostUs,
      config.dynamic_batching().default_queue_policy().max_queue_device_time_microseconds())));
}

}  // namespace

scheduler::SubgraphSpec BaseSpec(const std::string& name, int64_t version,
                                 const config::LoadedModelConfig& loaded,
                                 scheduler::SubgraphShape shape, int max_queue_rows) {
  const ModelConfig& config = loaded.config;
  return {.name = name,
          .version = version,
          .shape = std::move(shape),
          .policy = PolicyOf(loaded),
          .max_queue_rows = QueueRowsOf(config, max_queue_rows),
          .level_rows = LevelRowsOf(config),
          .max_queue_time = QueueTimeOf(config)};
}

}  // namespace omserve::server
