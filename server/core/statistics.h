// SPDX-License-Identifier: Apache-2.0
// Counters per model version, fed by the engines and read by the statistics method and the metrics.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/observer.h"
#include "server/core/model_statistics.h"
#include "server/core/statistics_shard.h"

namespace omserve::server {

// Thread-safe. Every device has counters of its own, whose lock nobody else takes but who reads
// them: what is counted here itself are the front ends' events, which are few.
class Statistics final {
 public:
  explicit Statistics(WallClock wall_clock)
      : wall_clock_(std::move(wall_clock)), own_(wall_clock_) {}

  // For the engine of one device; lives as long as this. Before any reader.
  scheduler::Observer& AddShard();

  // Makes the counters, all 0, so that a model that nobody called yet is listed.
  void AddModel(const std::string& name, int64_t version) { own_.AddModel(name, version); }
  // A request that was refused before the engine had it. `refusal`: where that was for lack of time
  // or room, not for what it asked.
  void CountRefused(const std::string& name, int64_t version, FailReason reason,
                    std::optional<scheduler::RefusalReason> refusal = std::nullopt) {
    own_.CountRefused(name, version, reason, refusal);
  }

  // A request that was answered with what was kept: it succeeds and runs nothing.
  void CountCacheHit(const std::string& name, int64_t version, Clock::duration lookup,
                     const scheduler::StageTimes& times) {
    own_.CountCacheHit(name, version, lookup, times);
  }
  // One for which nothing was kept; it runs.
  void CountCacheMiss(const std::string& name, int64_t version, Clock::duration cost) {
    own_.CountCacheMiss(name, version, cost);
  }

  // An answer of a decoupled model, the one of this number from 0, or its end without one.
  void CountAnswer(const std::string& name, int64_t version, size_t number,
                   DurationCount AnswerStatistics::*kind, Clock::duration took) {
    own_.CountAnswer(name, version, number, kind, took);
  }

  // In the order of name and version.
  std::vector<ModelStatistics> Snapshot() const;
  PairSpeeds Pairs() const;

 private:
  const WallClock wall_clock_;
  StatisticsShard own_;
  std::vector<std::unique_ptr<StatisticsShard>> shards_;
};

}  // namespace omserve::server
