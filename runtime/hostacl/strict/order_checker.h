// SPDX-License-Identifier: Apache-2.0
// Strict mode: finds pairs of accesses to the same memory that nothing orders, whichever of the two
// happened first in this run, and other uses that a chip would answer with silent damage.
//
// Actors are the streams and the host. All threads of the host are one actor: what they tell each
// other through the program's own locks is not seen here, and is taken as told at once. Order comes
// from: the launch of a task; the order within a stream; an event's record to the waits for it;
// what the host learns by synchronising, by a query that says "complete", and inside callbacks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "runtime/base/mutex.h"
#include "runtime/hostacl/strict/access_history.h"
#include "runtime/hostacl/strict/owner.h"
#include "runtime/hostacl/strict/vector_clock.h"
#include "runtime/hostacl/strict/violation_log.h"

namespace omserve::hostacl {

// Thread-safe.
class OrderChecker final {
 public:
  OrderChecker(StrictLevel level, std::string report_path) : log_(level, std::move(report_path)) {}

  ViolationLog& log() { return log_; }

  ActorIndex AddStream() ABSL_LOCKS_EXCLUDED(mu_);
  // The host has waited for the stream's end.
  void RemoveStream(ActorIndex stream) ABSL_LOCKS_EXCLUDED(mu_);

  // What a task knows that the host launches now.
  VectorClock Launch() ABSL_LOCKS_EXCLUDED(mu_);
  void HostLearns(const VectorClock& clock) ABSL_LOCKS_EXCLUDED(mu_);
  VectorClock HostClock() const ABSL_LOCKS_EXCLUDED(mu_);

  // A task begins on its stream, in the calling thread; until EndTask this thread's accesses are
  // the task's. `launched` is from Launch().
  void BeginTask(ActorIndex stream, const VectorClock& launched, std::string name)
      ABSL_LOCKS_EXCLUDED(mu_);
  // This thread's accesses are the host's again.
  static void EndTask();
  VectorClock StreamClock(ActorIndex stream) const ABSL_LOCKS_EXCLUDED(mu_);
  void StreamLearns(ActorIndex stream, const VectorClock& clock) ABSL_LOCKS_EXCLUDED(mu_);

  // Memory that is to be watched, by the address that the program knows.
  void Allocated(const void* address, size_t size_bytes, Owner owner) ABSL_LOCKS_EXCLUDED(mu_);
  // Reports accesses that nothing orders before this.
  void Freed(const void* address) ABSL_LOCKS_EXCLUDED(mu_);
  // All of a device's memory is gone; `is_leak` when the program should have freed it before.
  void FreedRange(const void* begin, size_t size_bytes, bool is_leak) ABSL_LOCKS_EXCLUDED(mu_);
  // By this thread's task, or by the host. Memory that is not watched is not looked at.
  void Touched(const void* address, size_t count, bool is_write) ABSL_LOCKS_EXCLUDED(mu_);
  // An address that lies in no live allocation was used.
  void TouchedNothing(const void* address, size_t count) ABSL_LOCKS_EXCLUDED(mu_);

  // Everything in Owners() is a leak.
  void ReportLeaks();

 private:
  struct Watched {
    size_t size_bytes = 0;
    Owner owner;
    AccessHistory history;
  };
  struct FormerMemory {
    uintptr_t begin;
    size_t size_bytes;
    std::string text;  // Who had it and who freed it.
  };
  using Memory = std::map<uintptr_t, Watched>;

  void EndMemoryLocked(Memory::iterator memory, std::vector<std::string>* violations)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  const VectorClock& ClockOfThisThreadLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Synchronises itself.
  ViolationLog log_;

  mutable Mutex mu_;
  VectorClock host_ ABSL_GUARDED_BY(mu_);
  std::vector<VectorClock> streams_ ABSL_GUARDED_BY(mu_) = {{}};  // By actor; [0] is unused.
  std::vector<ActorIndex> free_actors_ ABSL_GUARDED_BY(mu_);
  Memory memory_ ABSL_GUARDED_BY(mu_);
  std::deque<FormerMemory> former_ ABSL_GUARDED_BY(mu_);  // The newest last.
};

}  // namespace omserve::hostacl
