// SPDX-License-Identifier: Apache-2.0
// The core's subgraphs as they come and go.
//
// Who unloads a subgraph has ended what could still be submitted for it, but what was accepted goes
// on: the place is vacated with the event that ends the last of it. A lane that is being mended, or
// a device that is recovered, would come back to a place that another one may have by then; so
// these are waited for too.
#include <algorithm>
#include <memory>

#include "runtime/base/check.h"
#include "scheduler/core.h"

namespace omserve::scheduler {

void Core::AddSubgraph(const Subgraph& subgraph, const SubgraphOptions& options) {
  const auto index = static_cast<size_t>(subgraph.index);
  OMSERVE_CHECK(index <= subgraphs_.size(), "subgraphs are numbered without gaps");
  if (index == subgraphs_.size()) {
    subgraphs_.emplace_back();
    wakes_.push_back(Instant::max());
  }
  SubgraphState& state = subgraphs_[index];
  OMSERVE_CHECK(state.is_vacant(), "a subgraph's place is free, or was vacated");
  state.subgraph = &subgraph;
  state.options = options;
  state.queues.resize(subgraph.shape.buckets.size());
  state.lanes.resize(static_cast<size_t>(options.lanes));
  for (size_t b = 0; b < state.queues.size() && options.policy.derives_delay; ++b) {
    state.queues[b].gaps = ArrivalGaps(subgraph.shape.buckets[b].max_rows());
  }
  for (size_t lane = 0; lane < options.lane_limits.size(); ++lane) {
    state.lanes[lane].limit = options.lane_limits[lane];
    state.lanes[lane].turn = options.lane_limits[lane] == 0 ? Turn::kFree : Turn::kNone;
  }
  const size_t gears = subgraph.shape.model_gear_count();
  state.costs = options.costs.size() == gears ? options.costs : CostTable(gears);
  state.budgets.resize(gears);
  if (subgraph.sequence.has_value()) {
    const SequenceSpec& spec = *subgraph.sequence;
    for (const Bucket& bucket : subgraph.shape.buckets) {
      OMSERVE_CHECK(spec.strategy == SequenceSpec::Strategy::kOldest ||
                        spec.slots_per_lane <= bucket.max_rows(),
                    "a sequence that has a row to itself finds it in every gear");
    }
    with_sequences_.push_back(subgraph.index);
    state.sequences.emplace(SequenceTable::Options{
        .lanes = options.lanes, .slots_per_lane = spec.slots_per_lane, .max_idle = spec.max_idle});
  }
  if (options.output_sets == 0) {
    state.options.output_sets = 2 * options.lanes * options_.batches_per_lane;
  }
  for (int set = state.options.output_sets - 1; set >= 0; --set) {
    state.free_sets.push_back(set);
  }
  pairs_.AddSubgraph(subgraph.index, state.costs);
  Touch(subgraph.index);
}

void Core::On(const Unload& event) {
  SubgraphState& state = subgraphs_[static_cast<size_t>(event.subgraph)];
  OMSERVE_CHECK(!state.is_vacant() && !state.unloading, "a subgraph is unloaded once");
  state.unloading = true;
  unloading_.push_back(event.subgraph);
}

bool Core::IsUnloading(const Plan& plan) const {
  return std::any_of(plan.nodes.begin(), plan.nodes.end(), [this](const PlanNode& node) {
    if (!node.on_device()) {
      return false;
    }
    const SubgraphState& state = subgraphs_[static_cast<size_t>(node.subgraph->index)];
    return state.unloading || state.subgraph != node.subgraph;
  });
}

void Core::CountRequest(const Plan& plan, int count) {
  for (const PlanNode& node : plan.nodes) {
    if (node.on_device()) {
      subgraphs_[static_cast<size_t>(node.subgraph->index)].requests += count;
    }
  }
}

void Core::VacateIdle() {
  if (device_lost_) {
    return;
  }
  std::erase_if(unloading_, [this](int subgraph) {
    SubgraphState& state = subgraphs_[static_cast<size_t>(subgraph)];
    const bool is_held =
        state.requests > 0 || !std::all_of(state.lanes.begin(), state.lanes.end(),
                                           [](const LaneState& lane) { return lane.serves; });
    if (is_held) {
      return false;
    }
    Vacate(state);
    out_->push_back(Unloaded{subgraph});
    return true;
  });
}

void Core::Vacate(SubgraphState& state) {
  const int index = state.subgraph->index;
  OMSERVE_CHECK(output_sets_used(index) == 0 && queued_rows(index) == 0 && !state.touched,
                "what nothing holds has no batches and no rows");
  for (const LaneState& lane : state.lanes) {
    OMSERVE_CHECK(lane.turn == Turn::kFree || lane.turn == Turn::kNone,
                  "a lane with nothing to do has no turn");
  }
  for (const int other : state.apart_from) {
    std::erase(subgraphs_[static_cast<size_t>(other)].apart_from, index);
  }
  pairs_.RemoveSubgraph(index);
  std::erase(with_sequences_, index);
  std::erase(starved_, index);
  SetWake(index, Instant::max());
  const bool changed = state.changed;
  std::destroy_at(&state);  // Some of its parts cannot be assigned.
  std::construct_at(&state);
  state.changed = true;
  if (!changed) {
    changed_.push_back(index);
  }
}

}  // namespace omserve::scheduler
