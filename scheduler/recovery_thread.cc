// SPDX-License-Identifier: Apache-2.0
#include "scheduler/recovery_thread.h"

#include <utility>

#include "runtime/base/thread.h"

namespace omserve::scheduler {

RecoveryThread::RecoveryThread(std::string name, Clock& clock) : clock_(clock) {
  thread_ = StartThread(std::move(name), [this] { Run(); });
}

RecoveryThread::~RecoveryThread() {
  {
    const MutexLock lock(mu_);
    stop_ = true;
  }
  changed_.NotifyAll();
}

void RecoveryThread::Submit(std::function<void()> job) {
  {
    const MutexLock lock(mu_);
    jobs_.push_back(std::move(job));
  }
  changed_.NotifyAll();
}

bool RecoveryThread::Pause(Clock::duration time) {
  const Clock::time_point end = clock_.Now() + time;
  const MutexLock lock(mu_);
  while (!stop_ && clock_.WaitUntil(changed_, mu_, end)) {
  }
  return !stop_;
}

bool RecoveryThread::stopping() const {
  const MutexLock lock(mu_);
  return stop_;
}

void RecoveryThread::Run() {
  while (true) {
    std::function<void()> job;
    {
      const MutexLock lock(mu_);
      while (jobs_.empty() && !stop_) {
        changed_.Wait(mu_);
      }
      if (stop_) {
        return;
      }
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    job();
  }
}

}  // namespace omserve::scheduler
