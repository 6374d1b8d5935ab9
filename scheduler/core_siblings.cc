// SPDX-License-Identifier: Apache-2.0
// The core's siblings: steps whose outputs meet in one step.
//
// Of two of them only the heavier decides when that step can begin. The lighter one gains nothing
// by running long before it, alone, in a small batch: it waits for company until the heavier one is
// launched, and is over before that is. So under load both run in batches of the same requests, and
// the device time that small batches waste is free for others.
#include <algorithm>

#include "scheduler/core.h"

namespace omserve::scheduler {
namespace {

// In batches of the heavier one: that which runs, and the next, which it may be in.
constexpr int kLongestHold = 2;

}  // namespace

Clock::duration Core::FullBatchCost(const Request& request, int node) const {
  const auto n = static_cast<size_t>(node);
  const Subgraph& subgraph = *request.plan->nodes[n].subgraph;
  const Bucket& bucket = subgraph.shape.buckets[static_cast<size_t>(request.buckets[n])];
  return subgraphs_[static_cast<size_t>(subgraph.index)].costs.Expected(
      bucket.GearFor(bucket.max_rows()).model_gear);
}

Instant Core::HoldOf(const Request& request, int node) const {
  const PlanNode& own = request.plan->nodes[static_cast<size_t>(node)];
  Clock::duration heaviest{0};
  for (const int consumer : own.consumers) {
    for (const int sibling : request.plan->nodes[static_cast<size_t>(consumer)].producers) {
      const auto s = static_cast<size_t>(sibling);
      if (sibling != node && request.plan->nodes[s].on_device() &&
          request.nodes[s].state < NodeState::kLaunched) {
        heaviest = std::max(heaviest, FullBatchCost(request, sibling));
      }
    }
  }
  if (heaviest == Clock::duration::zero()) {
    return Instant::min();
  }
  const Clock::duration cost = FullBatchCost(request, node);
  // A cost of 0 is not known; and of two that waited for each other none would go.
  return cost > Clock::duration::zero() && cost < heaviest ? now_ + kLongestHold * heaviest
                                                           : Instant::min();
}

void Core::Hold(Request& request, int node) {
  Instant& until = request.nodes[static_cast<size_t>(node)].held_until;
  until = HoldOf(request, node);
  if (until != Instant::min()) {
    QueueOf(request, node).holds.insert(until);
  }
}

void Core::Unhold(Request& request, int node) {
  Instant& until = request.nodes[static_cast<size_t>(node)].held_until;
  if (until != Instant::min()) {
    std::multiset<Instant>& holds = QueueOf(request, node).holds;
    holds.erase(holds.find(until));
    until = Instant::min();
  }
}

void Core::ReleaseSiblings(Request& request, int node) {
  for (const int consumer : request.plan->nodes[static_cast<size_t>(node)].consumers) {
    for (const int sibling : request.plan->nodes[static_cast<size_t>(consumer)].producers) {
      const auto s = static_cast<size_t>(sibling);
      // It may wait for another one still.
      if (request.nodes[s].held_until != Instant::min() &&
          HoldOf(request, sibling) == Instant::min()) {
        Unhold(request, sibling);
        TouchNode(request, sibling);
      }
    }
  }
}

}  // namespace omserve::scheduler
