// SPDX-License-Identifier: Apache-2.0
// Brings sampled traces to where they are collected, in batches, on a thread of its own. What
// cannot be brought in time is dropped and counted: nobody waits for it, and memory is bounded.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <stop_token>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "server/core/tracing/request_trace.h"

namespace omserve::server {

// Where traces go. Called by one thread at a time.
class TraceSink {
 public:
  virtual ~TraceSink() = default;
  // May block, for a bounded time, and a short one once `hurry` is requested. kUnavailable: it may
  // be tried again with the same. Other errors: these cannot be taken.
  virtual absl::Status Write(std::span<const RequestTraceHandle> traces,
                             const std::stop_token& hurry) = 0;
  // No more come.
  virtual absl::Status Close() = 0;
};

// Thread-safe, but for the destructor.
class TraceExporter final {
 public:
  struct Options {
    size_t most_waiting = 4096;  // Traces; more are dropped.
    size_t most_in_batch = 256;
    Clock::duration delay = std::chrono::seconds(1);  // Longest wait for a batch to be full.
    // Between attempts: the first pause, doubled up to the longest.
    Clock::duration first_pause = std::chrono::milliseconds(500);
    Clock::duration longest_pause = std::chrono::seconds(30);
    // No attempt at a batch begins so long after the first one: then it is dropped.
    Clock::duration longest_retry = std::chrono::minutes(5);
    Clock::duration longest_stop = std::chrono::seconds(5);  // Until Stop ends what is under way.
  };
  struct Counts {
    uint64_t written = 0;
    uint64_t dropped_full = 0;     // There was no room.
    uint64_t dropped_refused = 0;  // The sink does not take them, or not for too long.
    uint64_t dropped_stopped = 0;  // They could not be brought before the end.
    uint64_t failures = 0;         // Attempts that failed.
    size_t waiting = 0;
  };

  // Starts the thread. `clock` outlives it.
  TraceExporter(std::unique_ptr<TraceSink> sink, Clock& clock, const Options& options);
  TraceExporter(const TraceExporter&) = delete;
  TraceExporter& operator=(const TraceExporter&) = delete;
  ~TraceExporter() { Stop(); }

  // Never blocks.
  void Add(RequestTraceHandle trace) ABSL_LOCKS_EXCLUDED(mu_);
  // Brings what waits, and closes the sink. The rest is dropped with the first attempt that could
  // be tried again, or after longest_stop. Blocks until then. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

  Counts counts() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  // The next ones, when it is time for them; none at the end.
  std::vector<RequestTraceHandle> Next() ABSL_LOCKS_EXCLUDED(mu_);
  // Until they are written, or will not be.
  void Bring(std::span<const RequestTraceHandle> batch) ABSL_LOCKS_EXCLUDED(mu_);
  // True when they may be tried again; else they are counted as dropped.
  bool MayTryAgain(std::span<const RequestTraceHandle> batch, const absl::Status& failure,
                   bool in_time) ABSL_LOCKS_EXCLUDED(mu_);
  // Shorter when the exporter is to stop.
  void Pause(Clock::duration time) ABSL_LOCKS_EXCLUDED(mu_);

  // Constant after construction.
  const std::unique_ptr<TraceSink> sink_;
  Clock& clock_;
  const Options options_;

  std::stop_source hurry_;  // Synchronises itself.

  mutable Mutex mu_;
  CondVar wake_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool ended_ ABSL_GUARDED_BY(mu_) = false;  // Nothing is brought any more.
  std::deque<RequestTraceHandle> waiting_ ABSL_GUARDED_BY(mu_);
  scheduler::Instant due_ ABSL_GUARDED_BY(mu_);  // Of the first of them.
  Counts counts_ ABSL_GUARDED_BY(mu_);

  std::jthread thread_;
};

}  // namespace omserve::server
