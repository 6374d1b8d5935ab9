// SPDX-License-Identifier: Apache-2.0
// What the engine tells of the steps of requests that are traced. All of it runs on the device
// thread.
#include <algorithm>
#include <chrono>

#include "scheduler/engine.h"

namespace omserve::scheduler {
namespace {

// When the last of its inputs was there, as far as the host knew.
Instant ReadyAt(const Plan& plan, std::span<const StepStamps> stamps, int node, Instant arrived) {
  Instant ready = arrived;
  for (const int producer : plan.nodes[static_cast<size_t>(node)].producers) {
    ready = std::max(ready, stamps[static_cast<size_t>(producer)].done);
  }
  return ready;
}

}  // namespace

void Engine::TraceBatch(const ActiveBatch& batch, const LaunchTimes& times, int rows, int node,
                        ActiveRequest& active) const {
  const Launch& launch = batch.launch;
  const Plan& plan = *active.in->plan;
  // Null when the lane was given up.
  const Lane* lane =
      lanes_[static_cast<size_t>(launch.subgraph)][static_cast<size_t>(launch.lane)].get();
  const StepStamps& stamps = active.stamps[static_cast<size_t>(node)];
  active.trace.push_back({.step = plan.nodes[static_cast<size_t>(node)].name,
                          .model = subgraphs_[static_cast<size_t>(launch.subgraph)]->name,
                          .device = device_.id(),
                          .lane = launch.lane,
                          .stream = lane == nullptr ? -1 : lane->compute_stream_id(),
                          .batch = launch.batch,
                          .batch_rows = rows,
                          .gear_rows = launch.gear.rows,
                          .reason = ReleaseReasonName(launch.reason),
                          .start_us = times.compute_start.value_or(0),
                          .end_us = times.compute_end.value_or(0),
                          .input_start_us = times.input_start.value_or(0),
                          .input_end_us = times.input_end.value_or(0),
                          .output_end_us = times.output_end.value_or(0),
                          .ready = ReadyAt(plan, active.stamps, node, active.arrived),
                          .begun = batch.begun,
                          // One that failed was not stamped.
                          .done = stamps.ran() ? stamps.done : clock_.Now()});
}

void Engine::TraceHostStep(const HostResult& result, ActiveRequest& active) {
  const auto us = [](Instant t) {
    return static_cast<uint64_t>(
        std::chrono::duration_cast<std::chrono::microseconds>(t.time_since_epoch()).count());
  };
  const Plan& plan = *active.in->plan;
  active.trace.push_back({.step = plan.nodes[static_cast<size_t>(result.node)].name,
                          .start_us = us(result.start),
                          .end_us = us(result.end),
                          .ready = ReadyAt(plan, active.stamps, result.node, active.arrived),
                          .begun = result.start,
                          .done = result.end});
}

std::string Engine::TraceIds(const Launch& launch) const {
  std::string ids;
  for (const RowGroup& group : launch.rows) {
    const std::string& id = active_.at(group.request).in->trace_id;
    if (!id.empty()) {
      ids += (ids.empty() ? " trace_id=" : ",") + id;
    }
  }
  return ids;
}

}  // namespace omserve::scheduler
