// SPDX-License-Identifier: Apache-2.0
// The rate limiter of all devices. Each engine asks for its lanes on its own device thread; what
// one gives back may be the turn of a lane of another device, whose engine is then told.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "runtime/base/mutex.h"
#include "scheduler/core.h"
#include "scheduler/rate_limiter.h"

namespace omserve::scheduler {

// Who is told of turns that come later.
class TurnSink {
 public:
  virtual ~TurnSink() = default;
  // On the thread of whoever gave back what was waited for. Must not block, nor call the limiter.
  // May come when the turn was given back already: the ticket tells.
  virtual void OnTurnGranted(const TurnGranted& granted) = 0;
};

// Thread-safe. No lock is held while a sink is told.
class SharedRateLimiter final {
 public:
  using Client = RateLimiter::Client;

  explicit SharedRateLimiter(std::vector<ResourceSetting> settings)
      : limiter_(std::move(settings)) {}

  // Whether an instance on the device could ever execute. Errors: RateLimiter::Check's.
  absl::Status Check(int device, const InstanceLimit& limit) const ABSL_LOCKS_EXCLUDED(mu_);
  // A lane of the engine of `device`, until RemoveLane; nothing is granted to it before it asks.
  // `sink` outlives every Ask and Return. Errors: as Check.
  absl::StatusOr<Client> AddLane(int device, const InstanceLimit& limit, int subgraph, int lane,
                                 TurnSink& sink) ABSL_LOCKS_EXCLUDED(mu_);
  // Requires that it neither waits nor holds.
  void RemoveLane(Client client) ABSL_LOCKS_EXCLUDED(mu_);

  // As RateLimiter::Ask or, when `renews`, Renew; Return. What is granted to lanes of the same sink
  // is appended to `own`, in place of a call.
  void Ask(Client client, uint64_t ticket, bool renews, std::vector<TurnGranted>* own)
      ABSL_LOCKS_EXCLUDED(mu_);
  void Return(Client client, bool used, std::vector<TurnGranted>* own) ABSL_LOCKS_EXCLUDED(mu_);

  std::vector<RateLimiter::Usage> usage() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Lane {
    int subgraph = 0;
    int lane = 0;
    TurnSink* sink = nullptr;
    uint64_t ticket = 0;  // Of the newest Ask.
  };
  struct Told {
    TurnSink* sink = nullptr;
    TurnGranted granted;
  };
  using AllTold = absl::InlinedVector<Told, 4>;

  // Empties granted_. `client` is who asked or gave back: what it is granted it did not wait for.
  AllTold TakeGrantedLocked(Client client, std::vector<TurnGranted>* own)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  RateLimiter limiter_ ABSL_GUARDED_BY(mu_);
  std::vector<Lane> lanes_ ABSL_GUARDED_BY(mu_);      // By client.
  std::vector<Client> granted_ ABSL_GUARDED_BY(mu_);  // Scratch.
};

}  // namespace omserve::scheduler
