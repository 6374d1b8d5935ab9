// SPDX-License-Identifier: Apache-2.0
#include "server/core/statistics.h"

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

PairSpeeds Statistics::Pairs() const {
  PairSpeeds pairs;
  for (const std::unique_ptr<StatisticsShard>& shard : shards_) {
    shard->AddTo(pairs);
  }
  return pairs;
}

}  // namespace omserve::server
