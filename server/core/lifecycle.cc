// SPDX-License-Identifier: Apache-2.0
#include "server/core/lifecycle.h"

#include <algorithm>
#include <utility>

#include "runtime/base/check.h"
#include "scheduler/refusal.h"

namespace omserve::server {

LifecycleState Lifecycle::state() const {
  const MutexLock lock(mu_);
  return state_;
}

absl::Status Lifecycle::CheckStarted() const {
  return state() == LifecycleState::kStarting
             ? scheduler::ToStatus({.reason = scheduler::RefusalReason::kStarting},
                                   "the server is still loading its models; retry when it is ready")
             : absl::OkStatus();
}

void Lifecycle::Transition(LifecycleState to) {
  std::vector<std::shared_ptr<LifecycleListener>> told;
  {
    const MutexLock lock(mu_);
    if (state_ == to) {
      return;
    }
    // The enumerators stand in the order of life, and no state is entered twice.
    OMSERVE_CHECK(static_cast<int>(to) > static_cast<int>(state_),
                  "the daemon's life goes in one direction");
    state_ = to;
    told = AliveLocked();
  }
  // Outside the lock: a listener writes to its client.
  for (const std::shared_ptr<LifecycleListener>& listener : told) {
    listener->OnLifecycle(to);
  }
}

std::vector<std::shared_ptr<LifecycleListener>> Lifecycle::AliveLocked() const {
  std::vector<std::shared_ptr<LifecycleListener>> alive;
  for (const std::weak_ptr<LifecycleListener>& listener : listeners_) {
    if (std::shared_ptr<LifecycleListener> held = listener.lock()) {
      alive.push_back(std::move(held));
    }
  }
  return alive;
}

bool Lifecycle::ready() const {
  const MutexLock lock(mu_);
  return state_ == LifecycleState::kReady && models_served_ && stuck_.empty();
}

bool Lifecycle::live() const {
  const MutexLock lock(mu_);
  return state_ != LifecycleState::kStopped && stuck_.empty();
}

std::string Lifecycle::stuck() const {
  const MutexLock lock(mu_);
  return stuck_;
}

void Lifecycle::SetStuck(const std::string& stuck) {
  std::vector<std::shared_ptr<LifecycleListener>> told;
  LifecycleState state = LifecycleState::kStarting;
  {
    const MutexLock lock(mu_);
    stuck_ = stuck;
    state = state_;
    told = AliveLocked();
  }
  for (const std::shared_ptr<LifecycleListener>& listener : told) {
    listener->OnLifecycle(state);
  }
}

void Lifecycle::SetModelsServed(bool served) {
  std::vector<std::shared_ptr<LifecycleListener>> told;
  LifecycleState state = LifecycleState::kStarting;
  {
    const MutexLock lock(mu_);
    models_served_ = served;
    state = state_;
    told = AliveLocked();
  }
  for (const std::shared_ptr<LifecycleListener>& listener : told) {
    listener->OnLifecycle(state);
  }
}

LifecycleState Lifecycle::AddListener(std::weak_ptr<LifecycleListener> listener) {
  const MutexLock lock(mu_);
  // Dead ones are swept here, so that clients who come and go leave nothing behind.
  listeners_.erase(std::remove_if(listeners_.begin(), listeners_.end(),
                                  [](const auto& known) { return known.expired(); }),
                   listeners_.end());
  listeners_.push_back(std::move(listener));
  return state_;
}

}  // namespace omserve::server
