// SPDX-License-Identifier: Apache-2.0
// The core's part in failures of lanes and of the device: when a batch hangs, and what becomes of
// requests whose lane or device is gone.
#include <algorithm>

#include "runtime/base/check.h"
#include "scheduler/core.h"

namespace omserve::scheduler {

bool Core::HasInputs(const Batch& batch) const {
  return std::all_of(batch.rows.begin(), batch.rows.end(), [this](const RowGroup& group) {
    return ProducersAtLeast(requests_.at(group.request), group.node, NodeState::kDone,
                            NodeState::kDone);
  });
}

Instant Core::WatchBatches(SubgraphState& state) {
  Instant next = Instant::max();
  for (LaneState& lane : state.lanes) {
    if (!lane.serves || lane.batches.empty()) {
      continue;
    }
    const BatchId id = lane.batches.front();
    Batch& batch = batches_.at(id);
    if (!batch.runs_since.has_value() && HasInputs(batch)) {
      batch.runs_since = now_;
      if (!state.sequences.has_value()) {
        pairs_.Begin(id, batch.subgraph, batch.model_gear, now_);
      }
      if (options_.run_budget.watches()) {
        // Twice, so that a batch a little slower than all before it is let through.
        batch.hangs_at = now_ + 2 * state.budgets[batch.model_gear].Get(options_.run_budget);
      }
    }
    if (batch.hangs_at <= now_) {
      Abandon({.subgraph = batch.subgraph,
               .lane = batch.lane,
               .batch = id,
               .ran = now_ - *batch.runs_since});
    } else {
      next = std::min(next, batch.hangs_at);
    }
  }
  return next;
}

void Core::Abandon(const AbandonLane& command) {
  LaneState& lane = LaneAt(command.subgraph, command.lane);
  lane.serves = false;
  Touch(command.subgraph);
  TouchApart(subgraphs_[static_cast<size_t>(command.subgraph)]);
  out_->push_back(command);
  EndAllOn(lane, Outcome::kLaneHung);
  SubgraphState& state = subgraphs_[static_cast<size_t>(command.subgraph)];
  if (state.sequences.has_value()) {
    EndWaiting(state.sequences->LaneDown(command.lane));
  }
}

void Core::EndAllOn(const LaneState& lane, Outcome outcome) {
  for (const BatchId id : lane.batches) {
    for (const RowGroup& group : batches_.at(id).rows) {
      Request& request = requests_.at(group.request);
      if (!request.responded) {
        End(group.request, request, outcome);  // Retired when the batch is done.
      }
    }
  }
}

void Core::On(const LaneStuck& event) {
  if (LaneAt(event.subgraph, event.lane).serves) {
    Abandon({.subgraph = event.subgraph, .lane = event.lane});
  }
}

void Core::On(const LaneUp& event) {
  LaneState& lane = LaneAt(event.subgraph, event.lane);
  OMSERVE_CHECK(!lane.serves && lane.batches.empty() && !device_lost_,
                "a lane comes back once, empty, to a device that works");
  lane.serves = true;
  SubgraphState& state = subgraphs_[static_cast<size_t>(event.subgraph)];
  if (state.sequences.has_value()) {
    state.sequences->LaneUp(event.lane);
  }
  lane.busy_until = now_;
  Touch(event.subgraph);
}

void Core::On(const DeviceLost&) {
  device_lost_ = true;
  TouchAll();
  for (SubgraphState& state : subgraphs_) {
    if (state.sequences.has_value()) {
      state.sequences->EndAll();  // Who waits in them is answered with all the others.
    }
    for (LaneState& lane : state.lanes) {
      lane.serves = false;
    }
  }
  std::vector<RequestId> unanswered;
  for (const auto& [id, request] : requests_) {
    // What is finished and waits for its turn is whole; the turn comes with this.
    if (!request.responded && request.nodes_left > 0) {
      unanswered.push_back(id);
    }
  }
  // In the order of their arrival, whatever the map's: a trace replays exactly.
  std::sort(unanswered.begin(), unanswered.end());
  for (const RequestId id : unanswered) {
    End(id, requests_.at(id), Outcome::kDeviceLost);
    RetireIfIdle(id);
  }
}

void Core::On(const DeviceBack&) {
  device_lost_ = false;
  TouchAll();
  for (SubgraphState& state : subgraphs_) {
    for (size_t l = 0; l < state.lanes.size(); ++l) {
      LaneState& lane = state.lanes[l];
      OMSERVE_CHECK(lane.batches.empty(), "a device comes back without batches of its former life");
      lane.serves = true;
      if (state.sequences.has_value()) {
        state.sequences->LaneUp(static_cast<int>(l));
      }
      lane.busy_until = now_;
    }
  }
}

}  // namespace omserve::scheduler
