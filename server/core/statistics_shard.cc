// SPDX-License-Identifier: Apache-2.0
#include "server/core/statistics_shard.h"

#include <algorithm>
#include <optional>

namespace omserve::server {
namespace {

using scheduler::BatchRecord;
using scheduler::Outcome;
using scheduler::RequestRecord;

uint64_t Ns(Clock::duration duration) {
  return static_cast<uint64_t>(std::max<int64_t>(0, duration.count()));
}

void Add(DurationCount& into, uint64_t count, uint64_t ns) {
  into.count += count;
  into.ns += ns;
}

// nullopt: it did not fail.
std::optional<FailReason> FailReasonOf(const RequestRecord& record) {
  switch (record.outcome) {
    case Outcome::kOk:
      return std::nullopt;
    case Outcome::kFailed:
      // A step that refuses the client's data (a corrupt picture) is no fault of the backend.
      return record.code == absl::StatusCode::kInvalidArgument ? FailReason::kOther
                                                               : FailReason::kBackend;
    case Outcome::kCancelled:
      return FailReason::kCanceled;
    case Outcome::kLaneHung:
    case Outcome::kDeviceLost:
      return FailReason::kBackend;
    case Outcome::kRefused:
    case Outcome::kDropped:
    case Outcome::kDeadlineExceeded:  // Triton rejects what waited too long.
      return FailReason::kRejected;
    case Outcome::kSequenceNotStarted:
    case Outcome::kSequenceEnded:
      return FailReason::kOther;
  }
  return FailReason::kOther;
}

// Apart from the reasons that Triton knows.
void CountOwnReasons(ModelStatistics& entry, const RequestRecord& record) {
  if (record.refusal.has_value()) {
    ++entry.refusals[static_cast<size_t>(*record.refusal)];
  } else if (record.outcome == Outcome::kDropped) {
    ++entry.dropped;
  } else if (record.outcome == Outcome::kDeadlineExceeded) {
    ++(record.ran ? entry.expired_running : entry.expired_waiting);
  }
}

void CountFailure(ModelStatistics& entry, FailReason reason, uint64_t count, uint64_t ns) {
  Add(entry.fail, count, ns);
  entry.fail_by_reason[static_cast<size_t>(reason)] += count;
}

}  // namespace

ModelStatistics& StatisticsShard::EntryLocked(std::string_view name, int64_t version) {
  const auto found = entries_.find(std::pair(name, version));
  if (found != entries_.end()) {
    return found->second;
  }
  ModelStatistics& entry = entries_[{std::string(name), version}];
  entry.name = name;
  entry.version = version;
  return entry;
}

void StatisticsShard::AddModel(const std::string& name, int64_t version) {
  const MutexLock lock(mu_);
  EntryLocked(name, version);
}

void StatisticsShard::CountRefused(const std::string& name, int64_t version, FailReason reason,
                                   std::optional<scheduler::RefusalReason> refusal) {
  const MutexLock lock(mu_);
  ModelStatistics& entry = EntryLocked(name, version);
  CountFailure(entry, reason, 1, 0);
  if (refusal.has_value()) {
    ++entry.refusals[static_cast<size_t>(*refusal)];
  }
}

void StatisticsShard::CountCacheHit(const std::string& name, int64_t version,
                                    Clock::duration lookup, const scheduler::StageTimes& times) {
  const uint64_t now_ms = static_cast<uint64_t>(wall_clock_().count());
  const MutexLock lock(mu_);
  ModelStatistics& entry = EntryLocked(name, version);
  entry.last_inference_ms = now_ms;
  ++entry.success.count;
  entry.success.ns += Ns(times.total);
  ++entry.cache_hit.count;
  entry.cache_hit.ns += Ns(lookup);
  entry.cache_hit_times.Record(lookup);
  entry.stages.Record(times);
}

void StatisticsShard::CountCacheMiss(const std::string& name, int64_t version,
                                     Clock::duration cost) {
  const MutexLock lock(mu_);
  ModelStatistics& entry = EntryLocked(name, version);
  ++entry.cache_miss.count;
  entry.cache_miss.ns += Ns(cost);
  entry.cache_miss_times.Record(cost);
}

void StatisticsShard::CountAnswer(const std::string& name, int64_t version, size_t number,
                                  DurationCount AnswerStatistics::*kind, Clock::duration took) {
  const size_t at = std::min(number, kMostAnswersApart - 1);
  const MutexLock lock(mu_);
  ModelStatistics& entry = EntryLocked(name, version);
  entry.answers.resize(std::max(entry.answers.size(), at + 1));
  Add(entry.answers[at].*kind, 1, Ns(took));
  if (number == 0 && kind == &AnswerStatistics::success) {
    entry.first_answer.Record(took);
  }
}

void StatisticsShard::OnPair(const scheduler::PairRecord& record) {
  const scheduler::Subgraph& a = *record.a;
  const scheduler::Subgraph& b = *record.b;
  const PairModels of_a{record.device, a.name, a.version, b.name, b.version};
  const PairModels of_b{record.device, b.name, b.version, a.name, a.version};
  const MutexLock lock(mu_);
  pairs_[of_a] = {record.speed_a, record.apart};
  pairs_[of_b] = {record.speed_b, record.apart};
}

void StatisticsShard::OnBatch(const BatchRecord& record) {
  const uint64_t now_ms = static_cast<uint64_t>(wall_clock_().count());
  const auto groups = static_cast<uint64_t>(record.groups);
  const auto steps = static_cast<uint64_t>(record.step_groups);
  const uint64_t batch_ns = Ns(record.input) + Ns(record.compute) + Ns(record.output);
  const MutexLock lock(mu_);
  ModelStatistics& entry = EntryLocked(record.subgraph->name, record.subgraph->version);
  ++entry.releases[static_cast<size_t>(record.reason)];
  entry.turns += record.limited ? 1 : 0;
  entry.turns_waited += record.turn_wait > Clock::duration::zero() ? 1 : 0;
  entry.turn_wait_ns += Ns(record.turn_wait);
  if (!record.ok) {
    // Requests that named this model themselves are counted when they are answered.
    CountFailure(entry, FailReason::kBackend, steps, 0);
    return;
  }
  entry.last_inference_ms = now_ms;
  entry.inference_count += static_cast<uint64_t>(record.rows);
  ++entry.execution_count;
  entry.padded_rows += static_cast<uint64_t>(std::max(0, record.gear_rows - record.rows));
  entry.input_elements += static_cast<uint64_t>(record.input_elements);
  entry.padding_elements += static_cast<uint64_t>(record.padding_elements);
  Add(entry.queue, groups, Ns(record.total_queued));
  Add(entry.compute_input, groups, groups * Ns(record.input));
  Add(entry.compute_infer, groups, groups * Ns(record.compute));
  Add(entry.compute_output, groups, groups * Ns(record.output));
  if (steps > 0) {
    Add(entry.success, steps, steps * (Ns(record.total_queued) / groups + batch_ns));
  }
  BatchSizeStatistics& size = entry.by_batch_size[record.rows];
  ++size.executions;
  size.compute_input_ns += Ns(record.input);
  size.compute_infer_ns += Ns(record.compute);
  size.compute_output_ns += Ns(record.output);
}

void StatisticsShard::OnRequest(const RequestRecord& record) {
  const uint64_t now_ms = static_cast<uint64_t>(wall_clock_().count());
  // Batches count rows and executions of a subgraph; a pipeline has none of its own.
  const bool counts_rows = record.plan->nodes.size() != 1 ||
                           record.plan->nodes.front().subgraph == nullptr ||
                           record.plan->nodes.front().subgraph->name != record.plan->name;
  const MutexLock lock(mu_);
  ModelStatistics& entry = EntryLocked(record.plan->name, record.plan->version);
  if (const std::optional<FailReason> reason = FailReasonOf(record)) {
    CountFailure(entry, *reason, 1, Ns(record.stages.total));
    CountOwnReasons(entry, record);
    return;
  }
  Add(entry.success, 1, Ns(record.stages.total));
  entry.stages.Record(record.stages, record.trace_id, now_ms);
  if (counts_rows) {
    entry.last_inference_ms = now_ms;
    entry.inference_count += static_cast<uint64_t>(record.rows);
    ++entry.execution_count;
  }
}

void StatisticsShard::AddTo(ModelStatisticsMap& all) const {
  const MutexLock lock(mu_);
  for (const auto& [key, entry] : entries_) {
    const auto [at, is_new] = all.try_emplace(key, entry);
    if (!is_new) {
      at->second.Add(entry);
    }
  }
}

void StatisticsShard::AddTo(PairSpeeds& pairs) const {
  const MutexLock lock(mu_);
  pairs.insert(pairs_.begin(), pairs_.end());
}

}  // namespace omserve::server
