// SPDX-License-Identifier: Apache-2.0
// The core's part in predictions: how much work was accepted, and when lanes are free of it.
#include <algorithm>

#include "scheduler/core.h"

namespace omserve::scheduler {

Clock::duration Core::WorkOf(const SubgraphState& state, int bucket, int rows) {
  // Work that waits is worked off in full batches: the gear with the least time for a row counts.
  Clock::duration least{0};
  for (const BatchGear& gear : state.subgraph->shape.buckets[static_cast<size_t>(bucket)].gears) {
    const Clock::duration row_time = state.costs.Expected(gear.model_gear) / gear.rows;
    if (row_time > Clock::duration::zero() &&
        (least == Clock::duration::zero() || row_time < least)) {
      least = row_time;
    }
  }
  return rows * least;
}

void Core::AddToBacklogs(Request& request) {
  for (size_t n = 0; n < request.nodes.size(); ++n) {
    const PlanNode& node = request.plan->nodes[n];
    if (!node.on_device()) {
      continue;
    }
    SubgraphState& state = subgraphs_[static_cast<size_t>(node.subgraph->index)];
    NodeRecord& record = request.nodes[n];
    record.in_backlog = true;
    record.work = WorkOf(state, request.buckets[n], request.rows);
    record.cell = state.backlog.Add({request.priority, request.deadline}, record.work, now_);
    Touch(node.subgraph->index);
  }
}

void Core::RemoveFromBacklog(Request& request, int node) {
  NodeRecord& record = request.nodes[static_cast<size_t>(node)];
  if (record.in_backlog) {
    record.in_backlog = false;
    const int subgraph = request.plan->nodes[static_cast<size_t>(node)].subgraph->index;
    subgraphs_[static_cast<size_t>(subgraph)].backlog.Remove(record.cell, record.work);
    Touch(subgraph);
  }
}

void Core::PredictEnd(Batch& batch, SubgraphState& state) {
  LaneState& lane = state.lanes[static_cast<size_t>(batch.lane)];
  Instant start = std::max(now_, lane.busy_until);
  // One that is launched ahead starts when what it reads is computed.
  for (const RowGroup& group : batch.rows) {
    const Request& request = requests_.at(group.request);
    for (const int producer : request.plan->nodes[static_cast<size_t>(group.node)].producers) {
      const auto found = batches_.find(request.nodes[static_cast<size_t>(producer)].batch);
      if (found != batches_.end() && !found->second.done) {
        start = std::max(start, found->second.ends_at);
      }
    }
  }
  batch.ends_at = start + state.costs.Expected(batch.model_gear);
  lane.busy_until = batch.ends_at;
}

void Core::PredictLane(LaneState& lane, const SubgraphState& state) {
  lane.busy_until = now_;
  for (const BatchId id : lane.batches) {
    Batch& batch = batches_.at(id);
    const Instant start = batch.runs_since.value_or(lane.busy_until);
    batch.ends_at = std::max(now_, start + state.costs.Expected(batch.model_gear));
    lane.busy_until = batch.ends_at;
  }
}

Instant Core::FreeAt(int subgraph) const {
  const SubgraphState& state = subgraphs_[static_cast<size_t>(subgraph)];
  busy_.clear();
  for (const LaneState& lane : state.lanes) {
    if (lane.serves) {
      busy_.push_back(std::max(Clock::duration::zero(), lane.busy_until - now_));
    }
  }
  return busy_.empty() ? Instant::max() : now_ + TimeToDrain(busy_, state.backlog.total());
}

const CostTable& Core::costs(int subgraph) const {
  return subgraphs_[static_cast<size_t>(subgraph)].costs;
}

}  // namespace omserve::scheduler
