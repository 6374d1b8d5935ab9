// SPDX-License-Identifier: Apache-2.0
// For some seconds every request is traced, for a picture of what the daemon does.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "server/core/tracing/request_trace.h"

namespace omserve::server {

struct Captured {
  scheduler::Instant begun;
  scheduler::Instant ended;
  std::vector<RequestTraceHandle> requests;  // In the order of their answers.
  uint64_t dropped = 0;                      // Older ones, of which there was no memory for more.
};

// Thread-safe, but for the destructor.
class TraceCapture final {
 public:
  // At most `most_requests` are kept, the newest.
  TraceCapture(Clock& clock, size_t most_requests) : clock_(clock), most_(most_requests) {}
  TraceCapture(const TraceCapture&) = delete;
  TraceCapture& operator=(const TraceCapture&) = delete;
  ~TraceCapture() { Stop(); }

  using Id = uint64_t;
  // Begins to keep every request that begins from now on. `done` runs once, after `time` or where
  // it is ended before, on a thread of its own, where it may take its time. kUnavailable while
  // another capture is under way: a picture is of one time.
  absl::StatusOr<Id> Start(Clock::duration time, std::function<void(Captured)> done)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Nobody waits for it any more. Harmless when it is over.
  void Cancel(Id id) ABSL_LOCKS_EXCLUDED(mu_);
  // Ends what is under way, and waits for its `done`. No capture can be started after. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

  bool is_on() const { return is_on_.load(std::memory_order_relaxed); }
  // A request that was answered. Harmless while nothing is captured.
  void Add(RequestTraceHandle request) ABSL_LOCKS_EXCLUDED(mu_);

  uint64_t dropped_count() const { return dropped_count_.load(std::memory_order_relaxed); }

 private:
  void Run(Id id, scheduler::Instant until, const std::function<void(Captured)>& done)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Constant after construction.
  Clock& clock_;
  const size_t most_;

  // Synchronise themselves, relaxed: neither orders anything.
  std::atomic<bool> is_on_{false};
  std::atomic<uint64_t> dropped_count_{0};

  Mutex mu_;
  CondVar wake_;
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
  bool busy_ ABSL_GUARDED_BY(mu_) = false;  // A thread has not finished yet.
  Id last_ ABSL_GUARDED_BY(mu_) = 0;
  Id cancelled_ ABSL_GUARDED_BY(mu_) = 0;
  scheduler::Instant begun_ ABSL_GUARDED_BY(mu_);
  uint64_t dropped_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<RequestTraceHandle> kept_ ABSL_GUARDED_BY(mu_);
  std::jthread thread_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::server
