// SPDX-License-Identifier: Apache-2.0
// What is counted of a model version.
//
// Source: Triton's statistics extension. Durations of a batch are counted once for each request in
// it, as there; so total / count is what one request saw.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/clock.h"
#include "scheduler/batch_policy.h"
#include "scheduler/refusal.h"
#include "scheduler/stage_times.h"
#include "server/core/exponential_histogram.h"

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
  // One of them that was traced.
  struct Exemplar {
    std::string trace_id;  // Hexadecimal; empty: none.
    uint64_t ns = 0;
    uint64_t time_ms = 0;  // Since the epoch.
  };

  // Upper bounds, inclusive, microseconds; a last bucket takes the rest.
  static constexpr std::array<uint64_t, 18> kBoundsUs = {
      50,     100,     250,     500,     1'000,     2'500,     5'000,     10'000,     25'000,
      50'000, 100'000, 250'000, 500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 30'000'000};

  // With a trace's id the duration becomes its bucket's exemplar.
  void Record(Clock::duration duration, std::string_view trace_id = {}, uint64_t now_ms = 0);
  void Add(const DurationHistogram& other);

  std::array<uint64_t, kBoundsUs.size() + 1> buckets{};
  std::array<Exemplar, kBoundsUs.size() + 1> exemplars{};  // The last one of each bucket.
  ExponentialHistogram exponential;
  uint64_t count = 0;
  uint64_t sum_ns = 0;
};

// Where the time of successful requests that named the model went: the stages sum to the total.
struct StageStatistics {
  // `trace_id` and `now_ms`: of the total.
  void Record(const scheduler::StageTimes& times, std::string_view trace_id = {},
              uint64_t now_ms = 0);
  void Add(const StageStatistics& other);

  std::array<DurationHistogram, scheduler::kStageCount> stages;  // By scheduler::Stage.
  DurationHistogram total;
};

// Answers to requests to a decoupled model that were the first, or the second, and so on. The time
// of each is that since the answer before it, or since the request.
struct AnswerStatistics {
  void Add(const AnswerStatistics& other);

  DurationCount success;
  DurationCount fail;
  DurationCount empty;  // The end, without an answer.
  DurationCount cancel;
};

inline constexpr size_t kMostAnswersApart = 64;

struct ModelStatistics {
  // Of the same model version, counted elsewhere.
  void Add(const ModelStatistics& other);

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
  // The same, distributed.
  ExponentialHistogram cache_hit_times;
  ExponentialHistogram cache_miss_times;
  StageStatistics stages;
  std::array<uint64_t, kFailReasonCount> fail_by_reason{};
  std::array<uint64_t, scheduler::kRefusalReasonCount> refusals{};
  // Accepted requests that were not finished in time: their deadline came while they waited or
  // while something of them ran, or they were dropped because it could not be met any longer.
  uint64_t expired_waiting = 0;
  uint64_t expired_running = 0;
  uint64_t dropped = 0;
  std::map<int, BatchSizeStatistics> by_batch_size;
  std::vector<AnswerStatistics> answers;  // The last of kMostAnswersApart has all after it too.
  DurationHistogram first_answer;         // Of a decoupled model: from the request to it.
  std::array<uint64_t, scheduler::kReleaseReasonCount> releases{};
  uint64_t turns = 0;             // Batches on instances that share resources; of these
  uint64_t turns_waited = 0;      // those whose instance had to wait for them,
  uint64_t turn_wait_ns = 0;      // and for how long in all.
  uint64_t padded_rows = 0;       // Rows computed only because the gear was larger than the batch.
  uint64_t input_elements = 0;    // Of all batches at their gears; of these
  uint64_t padding_elements = 0;  // those that only fill, by rows or by length.
};

}  // namespace omserve::server
