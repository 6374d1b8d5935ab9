// SPDX-License-Identifier: Apache-2.0
#include "server/core/model_statistics.h"

#include <algorithm>

namespace omserve::server {
namespace {

uint64_t Ns(Clock::duration duration) {
  return static_cast<uint64_t>(std::max<int64_t>(0, duration.count()));
}

template <typename Counts>
void AddEach(Counts& into, const Counts& from) {
  for (size_t i = 0; i < into.size(); ++i) {
    into[i] += from[i];
  }
}

}  // namespace

void DurationHistogram::Record(Clock::duration duration, std::string_view trace_id,
                               uint64_t now_ms) {
  const uint64_t ns = Ns(duration);
  const auto bucket = std::ranges::lower_bound(kBoundsUs, (ns + 999) / 1000);
  const auto index = static_cast<size_t>(bucket - kBoundsUs.begin());
  ++buckets[index];
  if (!trace_id.empty()) {
    exemplars[index] = {.trace_id = std::string(trace_id), .ns = ns, .time_ms = now_ms};
  }
  exponential.Record(duration);
  ++count;
  sum_ns += ns;
}

void DurationHistogram::Add(const DurationHistogram& other) {
  for (size_t i = 0; i < buckets.size(); ++i) {
    buckets[i] += other.buckets[i];
    if (other.exemplars[i].time_ms > exemplars[i].time_ms) {
      exemplars[i] = other.exemplars[i];
    }
  }
  exponential.Add(other.exponential);
  count += other.count;
  sum_ns += other.sum_ns;
}

void StageStatistics::Add(const StageStatistics& other) {
  for (size_t stage = 0; stage < stages.size(); ++stage) {
    stages[stage].Add(other.stages[stage]);
  }
  total.Add(other.total);
}

void StageStatistics::Record(const scheduler::StageTimes& times, std::string_view trace_id,
                             uint64_t now_ms) {
  for (size_t stage = 0; stage < stages.size(); ++stage) {
    stages[stage].Record(times.stages[stage]);
  }
  total.Record(times.total, trace_id, now_ms);
}

std::string_view FailReasonName(FailReason reason) {
  switch (reason) {
    case FailReason::kRejected:
      return "REJECTED";
    case FailReason::kCanceled:
      return "CANCELED";
    case FailReason::kBackend:
      return "BACKEND";
    case FailReason::kOther:
      return "OTHER";
  }
  return "OTHER";
}

void AnswerStatistics::Add(const AnswerStatistics& other) {
  for (DurationCount AnswerStatistics::*kind :
       {&AnswerStatistics::success, &AnswerStatistics::fail, &AnswerStatistics::empty,
        &AnswerStatistics::cancel}) {
    (this->*kind).count += (other.*kind).count;
    (this->*kind).ns += (other.*kind).ns;
  }
}

void ModelStatistics::Add(const ModelStatistics& other) {
  last_inference_ms = std::max(last_inference_ms, other.last_inference_ms);
  for (uint64_t ModelStatistics::*count :
       {&ModelStatistics::inference_count, &ModelStatistics::execution_count,
        &ModelStatistics::expired_waiting, &ModelStatistics::expired_running,
        &ModelStatistics::dropped, &ModelStatistics::turns, &ModelStatistics::turns_waited,
        &ModelStatistics::turn_wait_ns, &ModelStatistics::padded_rows,
        &ModelStatistics::input_elements, &ModelStatistics::padding_elements}) {
    this->*count += other.*count;
  }
  for (DurationCount ModelStatistics::*duration :
       {&ModelStatistics::success, &ModelStatistics::fail, &ModelStatistics::queue,
        &ModelStatistics::compute_input, &ModelStatistics::compute_infer,
        &ModelStatistics::compute_output, &ModelStatistics::cache_hit,
        &ModelStatistics::cache_miss}) {
    (this->*duration).count += (other.*duration).count;
    (this->*duration).ns += (other.*duration).ns;
  }
  cache_hit_times.Add(other.cache_hit_times);
  cache_miss_times.Add(other.cache_miss_times);
  stages.Add(other.stages);
  AddEach(fail_by_reason, other.fail_by_reason);
  AddEach(refusals, other.refusals);
  AddEach(releases, other.releases);
  for (const auto& [rows, from] : other.by_batch_size) {
    BatchSizeStatistics& into = by_batch_size[rows];
    into.executions += from.executions;
    into.compute_input_ns += from.compute_input_ns;
    into.compute_infer_ns += from.compute_infer_ns;
    into.compute_output_ns += from.compute_output_ns;
  }
  answers.resize(std::max(answers.size(), other.answers.size()));
  for (size_t i = 0; i < other.answers.size(); ++i) {
    answers[i].Add(other.answers[i]);
  }
  first_answer.Add(other.first_answer);
}

}  // namespace omserve::server
