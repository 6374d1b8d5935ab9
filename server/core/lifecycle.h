// SPDX-License-Identifier: Apache-2.0
// What the daemon as a whole is doing, and who wants to know.
//
//   kStarting -> kReady -> kDraining -> kStopped
//       \____________________/^  a start that is interrupted drains too
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "runtime/base/mutex.h"

namespace omserve::server {

enum class LifecycleState {
  kStarting,  // Models are loading; nothing is served.
  kReady,     // Everything that could be loaded is served.
  kDraining,  // Not ready for new clients; what was accepted is finished.
  kStopped,   // Nothing is accepted any longer.
};

// Told of each state after it was entered, on the thread that called Transition, in order; and of
// the present one when readiness changed in it, on another thread.
// OnLifecycle must not block and must not call Transition.
class LifecycleListener {
 public:
  virtual ~LifecycleListener() = default;
  virtual void OnLifecycle(LifecycleState state) = 0;
};

// Thread-safe; Transition is called by one thread at a time.
class Lifecycle final {
 public:
  LifecycleState state() const ABSL_LOCKS_EXCLUDED(mu_);
  // The process serves its protocols, and its loops turn.
  bool live() const ABSL_LOCKS_EXCLUDED(mu_);
  // Why not, where loops do not turn; else empty.
  std::string stuck() const ABSL_LOCKS_EXCLUDED(mu_);
  // The first load is over, whatever became of it. Once true it stays so.
  bool started() const { return state() != LifecycleState::kStarting; }
  // The refusal (scheduler/refusal.h) of every request while models are loading; OK afterwards.
  absl::Status CheckStarted() const ABSL_LOCKS_EXCLUDED(mu_);
  // New requests for any model are welcome: the state is kReady, every model is served and all
  // loops turn.
  bool ready() const ABSL_LOCKS_EXCLUDED(mu_);

  // Whether a device serves each model, as it is at first; see Readiness. Listeners are told of the
  // present state again, and ask what it means. Any thread.
  void SetModelsServed(bool served) ABSL_LOCKS_EXCLUDED(mu_);

  // What Heartbeats say; empty: all loops turn. Listeners are told as above. Any thread.
  void SetStuck(const std::string& stuck) ABSL_LOCKS_EXCLUDED(mu_);

  // Enters `to` and tells the listeners; returns when they have been told. Entering the present
  // state again does nothing. Requires a move along the line above.
  void Transition(LifecycleState to) ABSL_LOCKS_EXCLUDED(mu_);

  // Returns the present state; every later one is told. The listener may be told of a state that
  // was entered while this returned. It is forgotten when it dies.
  LifecycleState AddListener(std::weak_ptr<LifecycleListener> listener) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  std::vector<std::shared_ptr<LifecycleListener>> AliveLocked() const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  LifecycleState state_ ABSL_GUARDED_BY(mu_) = LifecycleState::kStarting;
  bool models_served_ ABSL_GUARDED_BY(mu_) = true;
  std::string stuck_ ABSL_GUARDED_BY(mu_);
  std::vector<std::weak_ptr<LifecycleListener>> listeners_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::server
