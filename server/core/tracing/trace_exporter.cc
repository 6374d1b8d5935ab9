// SPDX-License-Identifier: Apache-2.0
#include "server/core/tracing/trace_exporter.h"

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "runtime/base/thread.h"

namespace omserve::server {

TraceExporter::TraceExporter(std::unique_ptr<TraceSink> sink, Clock& clock, const Options& options)
    : sink_(std::move(sink)), clock_(clock), options_(options) {
  thread_ = StartThread("trace-export", [this] { Run(); });
}

void TraceExporter::Add(RequestTraceHandle trace) {
  bool wakes = false;
  {
    const MutexLock lock(mu_);
    if (stopping_ || waiting_.size() >= options_.most_waiting) {
      ++(stopping_ ? counts_.dropped_stopped : counts_.dropped_full);
      return;
    }
    if (waiting_.empty()) {
      due_ = clock_.Now() + options_.delay;
    }
    waiting_.push_back(std::move(trace));
    // The first sets the time, and the one that fills a batch need not wait for it.
    wakes = waiting_.size() == 1 || waiting_.size() == options_.most_in_batch;
  }
  if (wakes) {
    wake_.NotifyAll();
  }
}

void TraceExporter::Stop() {
  {
    const MutexLock lock(mu_);
    stopping_ = true;
    wake_.NotifyAll();
    const scheduler::Instant until = clock_.Now() + options_.longest_stop;
    while (!ended_ && clock_.WaitUntil(wake_, mu_, until)) {
    }
  }
  hurry_.request_stop();
  if (thread_.joinable()) {
    thread_.join();
  }
}

TraceExporter::Counts TraceExporter::counts() const {
  const MutexLock lock(mu_);
  Counts counts = counts_;
  counts.waiting = waiting_.size();
  return counts;
}

void TraceExporter::Run() {
  for (std::vector<RequestTraceHandle> batch = Next(); !batch.empty(); batch = Next()) {
    Bring(batch);
  }
  {
    const MutexLock lock(mu_);
    ended_ = true;
  }
  wake_.NotifyAll();
  const absl::Status closed = sink_->Close();
  if (!closed.ok()) {
    OMSERVE_LOG(kWarning, "tracing", "traces: {}", MessageOf(closed));
  }
}

std::vector<RequestTraceHandle> TraceExporter::Next() {
  std::vector<RequestTraceHandle> batch;
  const MutexLock lock(mu_);
  while (!stopping_ && waiting_.size() < options_.most_in_batch) {
    const bool any = !waiting_.empty();
    if (!clock_.WaitUntil(wake_, mu_, any ? due_ : scheduler::Instant::max()) && any) {
      break;
    }
  }
  const size_t count = std::min(waiting_.size(), options_.most_in_batch);
  for (size_t i = 0; i < count; ++i) {
    batch.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  }
  due_ = clock_.Now() + options_.delay;
  return batch;
}

void TraceExporter::Bring(std::span<const RequestTraceHandle> batch) {
  const scheduler::Instant last = clock_.Now() + options_.longest_retry;
  Clock::duration pause = options_.first_pause;
  while (true) {
    const absl::Status written = sink_->Write(batch, hurry_.get_token());
    if (written.ok()) {
      const MutexLock lock(mu_);
      counts_.written += batch.size();
      return;
    }
    const bool again = MayTryAgain(batch, written, clock_.Now() + pause < last);
    // Once for a time of failures, and for what is lost; the metric has all.
    if (!again || pause == options_.first_pause) {
      OMSERVE_LOG(kWarning, "tracing", "traces cannot be written: {}{}", MessageOf(written),
                  again ? "; trying again" : "; they are dropped");
    }
    if (!again) {
      return;
    }
    Pause(pause);
    pause = std::min(pause * 2, options_.longest_pause);
  }
}

bool TraceExporter::MayTryAgain(std::span<const RequestTraceHandle> batch,
                                const absl::Status& failure, bool in_time) {
  const MutexLock lock(mu_);
  ++counts_.failures;
  const bool may_pass = failure.code() == absl::StatusCode::kUnavailable;
  if (may_pass && stopping_) {  // What waits would find the sink no better.
    counts_.dropped_stopped += batch.size() + waiting_.size();
    waiting_.clear();
    return false;
  }
  if (!may_pass || !in_time) {
    counts_.dropped_refused += batch.size();
    return false;
  }
  return true;
}

void TraceExporter::Pause(Clock::duration time) {
  const MutexLock lock(mu_);
  const scheduler::Instant until = clock_.Now() + time;
  while (!stopping_ && clock_.WaitUntil(wake_, mu_, until)) {
  }
}

}  // namespace omserve::server
