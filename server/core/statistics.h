// SPDX-License-Identifier: Apache-2.0
// Counters per model version, fed by the engine and read by the statistics method and the metrics.
//
// Source: Triton's statistics extension. Durations of a batch are counted once for each request in
// it, as there; so total / count is what one request saw.
#pragma once

#include <array>
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

namespace omserve::server {

struct DurationCount {
  uint64_t count = 0;
  uint64_t ns = 0;
};

// Why requests failed, as Triton's metric labels them.
enum class FailReason { kRejected, kCanceled, kBackend, kOther };
inline constexpr size_t kFailReasonCount = 4;
// "REJECTED", "CANCELED", "BACKEND", "OTHER".
std::string_view FailReasonName(FailReason reason);

struct BatchSizeStatistics {
  uint64_t executions = 0;
  uint64_t compute_input_ns = 0;
  uint64_t compute_infer_ns = 0;
  uint64_t compute_output_ns = 0;
};

// How many durations fell between two bounds, and their sum.
struct DurationHistogram {
  // Upper bounds, inclusive, microseconds; a last bucket takes the rest.
  static constexpr std::array<uint64_t, 18> kBoundsUs = {
      50,     100,     250,     500,     1'000,     2'500,     5'000,     10'000,     25'000,
      50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000};

  void Record(Clock::duration duration);

  std::array<uint64_t, kBoundsUs.size() + 1> buckets{};
  uint64_t count = 0;
  uint64_t sum_ns = 0;
};

// Where the time of successful requests that named the model went: the stages sum to the total.
struct StageStatistics {
  void Record(const scheduler::StageTimes& times);

  std::array<DurationHistogram, scheduler::kStageCount> stages;  // By scheduler::Stage.
  DurationHistogram total;
};

struct ModelStatistics {
  std::string name;
  int64_t version = 1;
  uint64_t last_inference_ms = 0;  // Since the epoch; 0 = never.
  uint64_t inference_count = 0;    // Rows.
  uint64_t execution_count = 0;    // Batches; for a pipeline, requests.
  // Requests, and steps of pipelines that ran this model. From arrival to answer.
  DurationCount success;
  DurationCount fail;
  DurationCount queue;
  DurationCount compute_input;
  DurationCount compute_infer;
  DurationCount compute_output;
  DurationCount cache_hit;   // Looking an answer up that was kept,
  DurationCount cache_miss;  // or in vain, and keeping the one that was computed.
  StageStatistics stages;
  std::array<uint64_t, kFailReasonCount> fail_by_reason{};
  std::array<uint64_t, scheduler::kRefusalReasonCount> refusals{};
  // Accepted requests that were not finished in time: their deadline came while they waited or
  // while something of them ran, or they were dropped because it could not be met any longer.
  uint64_t expired_waiting = 0;
  uint64_t expired_running = 0;
  uint64_t dropped = 0;
  std::map<int, BatchSizeStatistics> by_batch_size;
  std::array<uint64_t, scheduler::kReleaseReasonCount> releases{};
  uint64_t turns = 0;             // Batches on instances that share resources; of these
  uint64_t turns_waited = 0;      // those whose instance had to wait for them,
  uint64_t turn_wait_ns = 0;      // and for how long in all.
  uint64_t padded_rows = 0;       // Rows computed only because the gear was larger than the batch.
  uint64_t input_elements = 0;    // Of all batches at their gears; of these
  uint64_t padding_elements = 0;  // those that only fill, by rows or by length.
};

// A model on a device, and one that ran beside it.
struct PairModels {
  int device = 0;
  std::string model;
  int64_t version = 0;
  std::string beside;
  int64_t beside_version = 0;
  auto operator<=>(const PairModels&) const = default;
};
struct PairStatistics {
  PairModels models;
  double speed = 1;  // Of the model beside the other one, as a part of its speed alone.
  bool apart = false;
};

// Thread-safe. The engine's thread writes, one short lock per batch and per request.
class Statistics final : public scheduler::Observer {
 public:
  // The wall clock, for last_inference_ms.
  using WallClock = std::function<std::chrono::milliseconds()>;
  explicit Statistics(WallClock wall_clock) : wall_clock_(std::move(wall_clock)) {}

  // Makes the counters, all 0, so that a model that nobody called yet is listed.
  void AddModel(const std::string& name, int64_t version) ABSL_LOCKS_EXCLUDED(mu_);
  // A request that was refused before the engine had it. `refusal`: where that was for lack of time
  // or room, not for what it asked.
  void CountRefused(const std::string& name, int64_t version, FailReason reason,
                    std::optional<scheduler::RefusalReason> refusal = std::nullopt)
      ABSL_LOCKS_EXCLUDED(mu_);

  // A request that was answered with what was kept: it succeeds and runs nothing.
  void CountCacheHit(const std::string& name, int64_t version, Clock::duration lookup,
                     const scheduler::StageTimes& times) ABSL_LOCKS_EXCLUDED(mu_);
  // One for which nothing was kept; it runs.
  void CountCacheMiss(const std::string& name, int64_t version, Clock::duration cost)
      ABSL_LOCKS_EXCLUDED(mu_);

  void OnBatch(const scheduler::BatchRecord& record) override ABSL_LOCKS_EXCLUDED(mu_);
  void OnRequest(const scheduler::RequestRecord& record) override ABSL_LOCKS_EXCLUDED(mu_);

  void OnIncident(const scheduler::DeviceIncident& /*incident*/) override {}  // Of no one model.
  void OnPair(const scheduler::PairRecord& record) override ABSL_LOCKS_EXCLUDED(mu_);

  // In the order of name and version.
  std::vector<ModelStatistics> Snapshot() const ABSL_LOCKS_EXCLUDED(mu_);
  std::vector<PairStatistics> Pairs() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // Compares without making a string.
  struct KeyLess {
    using is_transparent = void;
    template <typename A, typename B>
    bool operator()(const A& a, const B& b) const {
      return std::pair(std::string_view(a.first), a.second) <
             std::pair(std::string_view(b.first), b.second);
    }
  };
  ModelStatistics& EntryLocked(std::string_view name, int64_t version)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Constant after construction.
  const WallClock wall_clock_;

  mutable Mutex mu_;
  std::map<std::pair<std::string, int64_t>, ModelStatistics, KeyLess> entries_ ABSL_GUARDED_BY(mu_);
  std::map<PairModels, PairStatistics> pairs_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::server
