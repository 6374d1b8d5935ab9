// SPDX-License-Identifier: Apache-2.0
#include "server/core/statistics.h"

#include <algorithm>

namespace omserve::server {

scheduler::Observer& Statistics::AddShard() {
  return *shards_.emplace_back(std::make_unique<StatisticsShard>(wall_clock_));
}

std::vector<ModelStatistics> Statistics::Snapshot() const {
  ModelStatisticsMap all;
  own_.AddTo(all);
  for (const std::unique_ptr<StatisticsShard>& shard : shards_) {
    shard->AddTo(all);
  }
  std::vector<ModelStatistics> models;
  models.reserve(all.size());
  for (auto& [key, entry] : all) {
    models.push_back(std::move(entry));
  }
  return models;
}

std::vector<PairStatistics> Statistics::Pairs() const {
  std::vector<PairStatistics> pairs;
  own_.AddTo(pairs);
  for (const std::unique_ptr<StatisticsShard>& shard : shards_) {
    shard->AddTo(pairs);
  }
  std::ranges::sort(pairs, {}, &PairStatistics::models);
  return pairs;
}

}  // namespace omserve::server
