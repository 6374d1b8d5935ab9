// SPDX-License-Identifier: Apache-2.0
// The counters of one writer: a device's engine, or the front ends together.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/mutex.h"
#include "scheduler/observer.h"
#include "server/core/model_statistics.h"

namespace omserve::server {

// A model on a device, and one that ran beside it.
struct PairModels {
  int device = 0;
  std::string model;
  int64_t version = 0;
  std::string beside;
  int64_t beside_version = 0;
  auto operator<=>(const PairModels&) const = default;
};
struct PairSpeed {
  double speed = 1;  // Of the model beside the other one, as a part of its speed alone.
  bool apart = false;
};
using PairSpeeds = std::map<PairModels, PairSpeed>;

// The wall clock, for when something happened last.
using WallClock = std::function<std::chrono::milliseconds()>;

// By name and version, compared without making a string.
struct ModelKeyLess {
  using is_transparent = void;
  template <typename A, typename B>
  bool operator()(const A& a, const B& b) const {
    return std::pair(std::string_view(a.first), a.second) <
           std::pair(std::string_view(b.first), b.second);
  }
};
using ModelStatisticsMap = std::map<std::pair<std::string, int64_t>, ModelStatistics, ModelKeyLess>;

// Thread-safe: one short lock per batch and per request. The methods are those of Statistics.
class StatisticsShard final : public scheduler::Observer {
 public:
  explicit StatisticsShard(WallClock wall_clock) : wall_clock_(std::move(wall_clock)) {}

  void AddModel(const std::string& name, int64_t version) ABSL_LOCKS_EXCLUDED(mu_);
  void CountRefused(const std::string& name, int64_t version, FailReason reason,
                    std::optional<scheduler::RefusalReason> refusal) ABSL_LOCKS_EXCLUDED(mu_);
  void CountCacheHit(const std::string& name, int64_t version, Clock::duration lookup,
                     const scheduler::StageTimes& times) ABSL_LOCKS_EXCLUDED(mu_);
  void CountCacheMiss(const std::string& name, int64_t version, Clock::duration cost)
      ABSL_LOCKS_EXCLUDED(mu_);
  void CountAnswer(const std::string& name, int64_t version, size_t number,
                   DurationCount AnswerStatistics::*kind, Clock::duration took)
      ABSL_LOCKS_EXCLUDED(mu_);

  void OnBatch(const scheduler::BatchRecord& record) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnRequest(const scheduler::RequestRecord& record) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnIncident(const scheduler::DeviceIncident& /*incident*/) override {}
  void OnPair(const scheduler::PairRecord& record) override ABSL_LOCKS_EXCLUDED(mu_);

  // Adds what is counted here.
  void AddTo(ModelStatisticsMap& all) const ABSL_LOCKS_EXCLUDED(mu_);
  void AddTo(PairSpeeds& pairs) const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  ModelStatistics& EntryLocked(std::string_view name, int64_t version)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Constant after construction.
  const WallClock wall_clock_;

  mutable Mutex mu_;
  ModelStatisticsMap entries_ ABSL_GUARDED_BY(mu_);
  PairSpeeds pairs_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::server
