// SPDX-License-Identifier: Apache-2.0
// A point that is reached once, and a way to give up waiting for it. Streams wait for each other,
// and host threads for streams, through these.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/hostacl/recycling_allocator.h"
#include "runtime/hostacl/strict/vector_clock.h"

namespace omserve::hostacl {

class Interrupt;

// Thread-safe.
class Milestone final {
 public:
  static std::shared_ptr<Milestone> Make() { return MakeRecycled<Milestone>(); }

  // Reached now, by the device's clock. Later calls change nothing.
  void Reach();
  // Strict mode's: what whoever passes the milestone then knows. Before Reach.
  void SetKnown(VectorClock known);
  VectorClock known() const;
  bool reached() const;
  // When it was reached.
  std::optional<Clock::time_point> reached_at() const;
  // Blocks until reached, until `deadline` or until `interrupt` (may be null) is raised. Whether it
  // has been reached.
  bool Wait(Clock::time_point deadline, const Interrupt* interrupt) const;

 private:
  friend class Interrupt;

  mutable Mutex mu_;
  mutable CondVar reached_cv_;
  bool reached_ ABSL_GUARDED_BY(mu_) = false;
  Clock::time_point at_ ABSL_GUARDED_BY(mu_);
  VectorClock known_ ABSL_GUARDED_BY(mu_);
};

// Reaches a milestone when it is destroyed at the latest. Tasks hold one, so that a task that is
// dropped with its stream leaves nobody waiting.
class ReachAtEnd final {
 public:
  explicit ReachAtEnd(std::shared_ptr<Milestone> milestone) : milestone_(std::move(milestone)) {}
  ReachAtEnd(ReachAtEnd&&) noexcept = default;  // What was moved from reaches nothing.
  ReachAtEnd& operator=(ReachAtEnd&&) = delete;
  ~ReachAtEnd() {
    if (milestone_ != nullptr) {
      milestone_->Reach();
    }
  }

  Milestone& operator*() const { return *milestone_; }

 private:
  std::shared_ptr<Milestone> milestone_;
};

// Belongs to one waiting thread; raised and lowered by others. Thread-safe.
class Interrupt final {
 public:
  void Raise();
  void Lower() { raised_.store(false, std::memory_order_release); }
  bool raised() const { return raised_.load(std::memory_order_acquire); }
  // As Milestone::Wait; at most one thread is inside.
  bool Wait(const std::shared_ptr<Milestone>& milestone, Clock::time_point deadline);

 private:
  // Release in Raise, acquire in raised(): what was written before Raise is seen by the waiter.
  std::atomic<bool> raised_{false};
  Mutex mu_;
  std::shared_ptr<Milestone> awaited_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::hostacl
