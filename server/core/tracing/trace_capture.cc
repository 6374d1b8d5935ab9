// SPDX-License-Identifier: Apache-2.0
#include "server/core/tracing/trace_capture.h"

#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/thread.h"

namespace omserve::server {

absl::StatusOr<TraceCapture::Id> TraceCapture::Start(Clock::duration time,
                                                     std::function<void(Captured)> done) {
  const MutexLock lock(mu_);
  if (stopped_) {
    return Unavailable("the server is shutting down");
  }
  if (busy_) {
    return Unavailable("another capture is under way; there is one at a time");
  }
  if (thread_.joinable()) {
    thread_.join();  // It has said that it is over, and locks nothing any more.
  }
  busy_ = true;
  begun_ = clock_.Now();
  dropped_ = 0;
  const Id id = ++last_;
  thread_ = StartThread("trace-capture", [this, id, until = begun_ + time, done = std::move(done)] {
    Run(id, until, done);
  });
  is_on_.store(true, std::memory_order_relaxed);
  return id;
}

void TraceCapture::Run(Id id, scheduler::Instant until, const std::function<void(Captured)>& done) {
  Captured captured;
  {
    const MutexLock lock(mu_);
    while (!stopped_ && cancelled_ != id && clock_.WaitUntil(wake_, mu_, until)) {
    }
    is_on_.store(false, std::memory_order_relaxed);
    captured = {.begun = begun_, .ended = clock_.Now(), .dropped = dropped_};
    captured.requests.assign(kept_.begin(), kept_.end());
    kept_.clear();
  }
  done(std::move(captured));
  const MutexLock lock(mu_);
  busy_ = false;
}

void TraceCapture::Cancel(Id id) {
  {
    const MutexLock lock(mu_);
    cancelled_ = id;
  }
  wake_.NotifyAll();
}

void TraceCapture::Stop() {
  std::jthread ending;
  {
    const MutexLock lock(mu_);
    stopped_ = true;
    ending = std::move(thread_);
  }
  wake_.NotifyAll();
  if (ending.joinable()) {
    ending.join();
  }
}

void TraceCapture::Add(RequestTraceHandle request) {
  RequestTraceHandle oldest;  // Freed outside the lock.
  const MutexLock lock(mu_);
  if (!is_on()) {
    return;
  }
  kept_.push_back(std::move(request));
  if (kept_.size() > most_) {
    oldest = std::move(kept_.front());
    kept_.pop_front();
    ++dropped_;
    dropped_count_.fetch_add(1, std::memory_order_relaxed);
  }
}

}  // namespace omserve::server
