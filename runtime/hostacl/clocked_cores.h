// SPDX-License-Identifier: Apache-2.0
// SharedCores on the clock: threads that stay as long as their jobs take, without computing.
#pragma once

#include <cstdint>
#include <map>

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/hostacl/shared_cores.h"

namespace omserve::hostacl {

// Thread-safe. Invariant: while threads wait, one of them (the one whose job is oldest) sleeps
// until the next job ends, and the others until they are told; nobody polls.
class ClockedCores final {
 public:
  explicit ClockedCores(uint32_t cores, Clock& clock = SteadyClock())
      : clock_(clock), shared_(cores) {}

  // A job from now until it is awaited. One thread uses it.
  class Stay final {
   public:
    // Never blocks. Requires cores > 0 and work >= 0.
    Stay(ClockedCores& owner, uint32_t cores, Clock::duration work)
        : owner_(owner), job_(owner.Begin(cores, work)) {}
    // Takes the job away where it was not awaited.
    ~Stay() { owner_.End(job_); }
    Stay(const Stay&) = delete;
    Stay& operator=(const Stay&) = delete;

    // Blocks until the job is done.
    void Await() { owner_.Await(job_); }

   private:
    ClockedCores& owner_;
    const SharedCores::JobId job_;
  };

  // How much of the cores is wanted now, 0..100.
  int32_t busy_percent() const;

 private:
  struct Waiter {
    CondVar cv;
    bool done = false;
    bool waiting = false;
    Clock::time_point until;  // What it sleeps to; max() until it is told.
  };

  SharedCores::JobId Begin(uint32_t cores, Clock::duration work);
  void Await(SharedCores::JobId job);
  void End(SharedCores::JobId job);

  // Marks what has ended by now and wakes those who wait for it.
  void CollectLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The waiter who has to sleep until the next end; null when nobody waits.
  Waiter* SleeperLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // After a change of the jobs: the sleeper learns of an end that comes sooner than it believes.
  void TellSleeperLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  Clock& clock_;

  mutable Mutex mu_;
  SharedCores shared_ ABSL_GUARDED_BY(mu_);
  // Every job that has not ended its stay, oldest first.
  std::map<SharedCores::JobId, Waiter> waiters_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::hostacl
