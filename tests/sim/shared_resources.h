// SPDX-License-Identifier: Apache-2.0
// Resources that the lanes of a schedule share with each other and with another device, and the
// rate limiter that says whose turn it is.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "scheduler/core.h"
#include "scheduler/rate_limiter.h"
#include "tests/sim/choices.h"

namespace omserve::scheduler {

// Thread-compatible.
class SharedResources final {
 public:
  // A random number of copies, and of rivals for them.
  explicit SharedResources(sim::Choices& random);

  // For each of `lanes` lanes of a subgraph 0 or the number of its needs: Core's lane_limits. Empty
  // when none is limited.
  std::vector<int> LimitLanes(int subgraph, int lanes, sim::Choices& random);

  // The subgraph is gone, and its lanes with it.
  void Remove(int subgraph);

  // What follows for the lanes; `waited` is set.
  std::vector<TurnGranted> Ask(const AskTurn& command);
  std::vector<TurnGranted> Return(const ReturnTurn& command);

  int rival_count() const { return static_cast<int>(rivals_.size()); }
  bool rival_holds(int rival) const { return limiter_.holds(Rival(rival)); }
  // A rival, of another device, asks or, when it has asked or holds, gives back. True: it waits or
  // holds now, and has to come back.
  bool StepRival(int rival, std::vector<TurnGranted>* granted);

  // What is wrong with these lanes computing at once; empty for nothing. `ended`: nobody may hold
  // or wait any longer.
  std::string Violation(const std::vector<std::pair<int, int>>& computing, bool ended) const;

 private:
  struct LimitedLane {
    int subgraph = 0;
    int lane = 0;
    uint64_t ticket = 0;
  };
  static constexpr int kDevice = 0;
  static constexpr int kOtherDevice = 1;

  RateLimiter::Client Rival(int rival) const { return rivals_[static_cast<size_t>(rival)]; }
  RateLimiter::Client Add(int device, const InstanceLimit& limit);
  InstanceLimit RandomLimit(sim::Choices& random) const;
  std::vector<TurnGranted> TakeGranted(RateLimiter::Client asker);

  std::map<std::string, int> totals_;
  RateLimiter limiter_;
  std::vector<InstanceLimit> limits_;                       // By client.
  std::map<RateLimiter::Client, LimitedLane> lanes_;        // Those that are lanes.
  std::map<std::pair<int, int>, RateLimiter::Client> ids_;  // By subgraph and lane.
  std::vector<RateLimiter::Client> rivals_;
  std::vector<RateLimiter::Client> granted_;  // By the last call.
};

}  // namespace omserve::scheduler
