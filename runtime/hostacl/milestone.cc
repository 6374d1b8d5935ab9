// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/milestone.h"

#include <utility>

namespace omserve::hostacl {

void Milestone::Reach() {
  {
    const MutexLock lock(mu_);
    if (reached_) {
      return;
    }
    reached_ = true;
    at_ = SteadyClock().Now();
  }
  reached_cv_.NotifyAll();
}

void Milestone::SetKnown(VectorClock known) {
  const MutexLock lock(mu_);
  known_ = std::move(known);
}

VectorClock Milestone::known() const {
  const MutexLock lock(mu_);
  return known_;
}

bool Milestone::reached() const {
  const MutexLock lock(mu_);
  return reached_;
}

std::optional<Clock::time_point> Milestone::reached_at() const {
  const MutexLock lock(mu_);
  return reached_ ? std::optional(at_) : std::nullopt;
}

bool Milestone::Wait(Clock::time_point deadline, const Interrupt* interrupt) const {
  const MutexLock lock(mu_);
  while (!reached_ && (interrupt == nullptr || !interrupt->raised())) {
    if (!SteadyClock().WaitUntil(reached_cv_, mu_, deadline)) {
      break;
    }
  }
  return reached_;
}

void Interrupt::Raise() {
  raised_.store(true, std::memory_order_release);
  std::shared_ptr<Milestone> awaited;
  {
    const MutexLock lock(mu_);
    awaited = awaited_;
  }
  if (awaited != nullptr) {
    // Under the milestone's lock, so that the waiter is either before its test of raised() or
    // already asleep: the notification cannot fall between the two.
    const MutexLock lock(awaited->mu_);
    awaited->reached_cv_.NotifyAll();
  }
}

bool Interrupt::Wait(const std::shared_ptr<Milestone>& milestone, Clock::time_point deadline) {
  {
    const MutexLock lock(mu_);
    awaited_ = milestone;
  }
  const bool reached = milestone->Wait(deadline, this);
  const MutexLock lock(mu_);
  awaited_.reset();
  return reached;
}

}  // namespace omserve::hostacl
