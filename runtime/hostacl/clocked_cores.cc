// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/clocked_cores.h"

#include <sys/prctl.h>

#include <algorithm>

namespace omserve::hostacl {
namespace {

// The kernel may wake a sleeping thread up to 50 us late, to wake several at once. This asks for
// the exact instant, for the time of a wait: half of what an execution took over its cost was this
// (101 us late became 46, the median of 300 sleeps of 2 ms).
class PreciseWaits final {
 public:
  PreciseWaits() : before_(prctl(PR_GET_TIMERSLACK)) { prctl(PR_SET_TIMERSLACK, uint64_t{1}); }
  ~PreciseWaits() { prctl(PR_SET_TIMERSLACK, static_cast<uint64_t>(before_)); }
  PreciseWaits(const PreciseWaits&) = delete;
  PreciseWaits& operator=(const PreciseWaits&) = delete;

 private:
  const int before_;  // Nanoseconds.
};

}  // namespace

SharedCores::JobId ClockedCores::Begin(uint32_t cores, Clock::duration work) {
  const MutexLock lock(mu_);
  const SharedCores::JobId job = shared_.Add(clock_.Now(), cores, work);
  waiters_.try_emplace(job);
  TellSleeperLocked();
  return job;
}

void ClockedCores::Await(SharedCores::JobId job) {
  const PreciseWaits precise;
  const MutexLock lock(mu_);
  Waiter& self = waiters_.at(job);
  self.waiting = true;
  CollectLocked();
  while (!self.done) {
    self.until = SleeperLocked() == &self ? *shared_.NextFinish() : Clock::time_point::max();
    clock_.WaitUntil(self.cv, mu_, self.until);
    CollectLocked();
  }
  self.waiting = false;
  // This thread may have been the one that slept, and what ends next may come sooner now.
  TellSleeperLocked();
}

void ClockedCores::End(SharedCores::JobId job) {
  const MutexLock lock(mu_);
  shared_.Remove(clock_.Now(), job);
  waiters_.erase(job);
  CollectLocked();
  TellSleeperLocked();
}

void ClockedCores::CollectLocked() {
  for (const SharedCores::Finish& finish : shared_.TakeFinished(clock_.Now())) {
    const auto waiter = waiters_.find(finish.job);
    if (waiter != waiters_.end()) {
      waiter->second.done = true;
      waiter->second.cv.NotifyOne();
    }
  }
}

ClockedCores::Waiter* ClockedCores::SleeperLocked() {
  const auto found = std::find_if(waiters_.begin(), waiters_.end(), [](const auto& entry) {
    return entry.second.waiting && !entry.second.done;
  });
  return found == waiters_.end() ? nullptr : &found->second;
}

void ClockedCores::TellSleeperLocked() {
  Waiter* const sleeper = SleeperLocked();
  const std::optional<Clock::time_point> next = shared_.NextFinish();
  if (sleeper != nullptr && next.has_value() && *next < sleeper->until) {
    sleeper->cv.NotifyOne();
  }
}

int32_t ClockedCores::busy_percent() const {
  const MutexLock lock(mu_);
  return static_cast<int32_t>(std::min<uint64_t>(100, shared_.wanted() * 100 / shared_.cores()));
}

}  // namespace omserve::hostacl
