// SPDX-License-Identifier: Apache-2.0
// Memory for what batches put out. A subgraph has a fixed number of output sets, made when it is
// loaded, and a batch has one of them from its launch to its release: nothing is allocated for a
// request, and a launch that was decided never lacks memory. While all sets are taken, rows wait in
// their queue.
//
// Waiting could go round in a circle: a step's sets are all held by rows that wait for another
// step, whose sets are held by rows that wait for the first. Hence the arena, in which any one
// request can go from its first step to its last (plan.h). When a subgraph does nothing because its
// sets are all held, and none of those who hold them goes on anywhere, one request becomes the
// arena's owner, and goes on by itself wherever it would have to wait like this. It ends, whatever
// others do; what it held of theirs comes back; the next may follow.
#include <algorithm>

#include "runtime/base/check.h"
#include "scheduler/core.h"

namespace omserve::scheduler {

void Core::SetOutputSets(int subgraph, int count) {
  SubgraphState& state = subgraphs_[static_cast<size_t>(subgraph)];
  std::erase_if(state.free_sets, [count](int set) { return set >= count; });
  // The new ones behind those in use so far; but one that a batch has kept comes with its end.
  for (int set = state.options.output_sets; set < count; ++set) {
    const bool is_held = std::any_of(state.holders.begin(), state.holders.end(),
                                     [&](BatchId id) { return batches_.at(id).output_set == set; });
    if (!is_held) {
      state.free_sets.insert(state.free_sets.begin(), set);
    }
  }
  state.options.output_sets = count;
  Touch(subgraph);
}

int Core::output_sets_used(int subgraph) const {
  const SubgraphState& state = subgraphs_[static_cast<size_t>(subgraph)];
  return static_cast<int>(state.holders.size());
}

void Core::TakeOutputs(SubgraphState& state, Launch& launch) {
  if (launch.output_set == kArena) {
    return;
  }
  launch.output_set = state.free_sets.back();
  state.free_sets.pop_back();
  state.holders.push_back(launch.batch);
}

void Core::ReturnOutputs(BatchId id, const Batch& batch) {
  SubgraphState& state = subgraphs_[static_cast<size_t>(batch.subgraph)];
  if (batch.output_set != kArena) {
    if (batch.output_set < state.options.output_sets) {
      state.free_sets.push_back(batch.output_set);
    }
    std::erase(state.holders, id);
  }
  Touch(batch.subgraph);
}

void Core::LeaveArena(RequestId id) {
  if (arena_owner_ == id) {
    arena_owner_ = 0;
  }
}

bool Core::IsAtWork(const SubgraphState& state) {
  return std::any_of(state.lanes.begin(), state.lanes.end(),
                     [](const LaneState& lane) { return !lane.batches.empty(); });
}

bool Core::GoesOn(const Request& request) {
  for (size_t n = 0; n < request.nodes.size(); ++n) {
    if (request.nodes[n].state == NodeState::kLaunched ||
        request.nodes[n].state == NodeState::kLooking) {
      return true;
    }
    if (request.nodes[n].state == NodeState::kQueued) {
      // Its turn comes while there are turns.
      const SubgraphState& where = StateOf(request, static_cast<int>(n));
      if (IsAtWork(where) || (!where.free_sets.empty() &&
                              std::any_of(where.lanes.begin(), where.lanes.end(),
                                          [](const LaneState& lane) { return lane.serves; }))) {
        return true;
      }
    }
  }
  return false;
}

bool Core::StandsStill(const SubgraphState& state) {
  return !IsAtWork(state) &&
         std::none_of(state.holders.begin(), state.holders.end(), [this](BatchId id) {
           const std::vector<RowGroup>& rows = batches_.at(id).rows;
           return std::any_of(rows.begin(), rows.end(), [this](const RowGroup& group) {
             const auto found = requests_.find(group.request);
             return found != requests_.end() && GoesOn(found->second);
           });
         });
}

bool Core::LaunchInArena() {
  for (size_t i = 0; i < starved_.size();) {
    SubgraphState& state = subgraphs_[static_cast<size_t>(starved_[i])];
    OrderBuckets(state);
    if (!state.free_sets.empty() || state.order.empty()) {
      state.starved = false;
      ReturnTurns(state, /*keeps_granted=*/false);
      starved_.erase(starved_.begin() + static_cast<ptrdiff_t>(i));
      continue;
    }
    const int lane = BestLane(state);
    if (lane >= 0 && StandsStill(state) && TryLaunchInArena(state, lane)) {
      return true;
    }
    ++i;
  }
  return false;
}

void Core::Starve(SubgraphState& state) {
  if (!state.starved) {
    state.starved = true;
    starved_.push_back(state.subgraph->index);
  }
}

bool Core::TryLaunchInArena(SubgraphState& state, int lane) {
  const std::optional<QueueKey> next = NextInArena(state);
  if (!next.has_value()) {
    return false;
  }
  if (DropFromArena(state, *next, lane)) {
    return true;  // Decide anew.
  }
  if (!HasTurn(state, lane)) {
    return false;
  }
  Request& request = requests_.at(next->request);
  const Queue& queue = QueueOf(request, next->node);
  const Queued queued = queue.ready.at(*next);
  Launch launch{.batch = next_batch_++,
                .subgraph = state.subgraph->index,
                .bucket = request.buckets[static_cast<size_t>(next->node)],
                .lane = lane,
                .rows = {{next->request, next->node, queued.rows}},
                .row_count = queued.rows,
                .output_set = kArena,
                .reason = ReleaseReason::kMemory,
                .oldest_queued = queued.since,
                .total_queued = now_ - queued.since};
  Dequeue(next->request, request, next->node);
  request.nodes[static_cast<size_t>(next->node)].state = NodeState::kQueued;
  arena_owner_ = next->request;
  ++arena_launches_;
  Send(state, std::move(launch));
  Touch(state.subgraph->index);  // The batch is to be watched.
  return true;
}

bool Core::DropFromArena(const SubgraphState& state, const QueueKey& key, int lane) {
  Request& request = requests_.at(key.request);
  if (request.deadline == Instant::max()) {
    return false;
  }
  const auto node = static_cast<size_t>(key.node);
  const Bucket& shape = state.subgraph->shape.buckets[static_cast<size_t>(request.buckets[node])];
  const Instant end = std::max(now_, state.lanes[static_cast<size_t>(lane)].busy_until) +
                      state.costs.ForRefusal(shape.GearFor(request.rows).model_gear, now_) +
                      request.nodes[node].tail;
  if (end <= request.deadline) {
    return false;
  }
  Drop(key.request, request, end - request.deadline);
  return true;
}

// Places in the arena are used again on the understanding that all steps before are done. A step
// whose direct producers are done is not enough: they may have been launched ahead of a step that
// the host still has to hear of, and whose outputs are still being copied. So: only ready rows, and
// one device step of the owner at a time.
std::optional<Core::QueueKey> Core::NextInArena(const SubgraphState& state) const {
  const auto rests = [](const Request& request) {
    for (size_t n = 0; n < request.nodes.size(); ++n) {
      if (request.nodes[n].state == NodeState::kLaunched && request.plan->nodes[n].on_device()) {
        return false;
      }
    }
    return true;
  };
  if (arena_owner_ == 0) {
    for (const int bucket : state.order) {
      const Queue& queue = state.queues[static_cast<size_t>(bucket)];
      if (!queue.ready.empty() && rests(requests_.at(queue.ready.begin()->first.request))) {
        return queue.ready.begin()->first;
      }
    }
    return std::nullopt;
  }
  const Request& owner = requests_.at(arena_owner_);
  if (!rests(owner)) {
    return std::nullopt;
  }
  for (size_t n = 0; n < owner.nodes.size(); ++n) {
    const int node = static_cast<int>(n);
    if (owner.plan->nodes[n].subgraph == state.subgraph &&
        owner.nodes[n].state == NodeState::kQueued) {
      const QueueKey key = KeyOf(arena_owner_, owner, node);
      const Queue& queue = state.queues[static_cast<size_t>(owner.buckets[n])];
      if (queue.ready.contains(key)) {
        return key;
      }
    }
  }
  return std::nullopt;
}

}  // namespace omserve::scheduler
