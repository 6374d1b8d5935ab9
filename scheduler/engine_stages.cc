// SPDX-License-Identifier: Apache-2.0
// When each step of a request ran, for the split of its time. All of it runs on the device thread.
#include "scheduler/engine.h"

namespace omserve::scheduler {

void Engine::StampBatch(const ActiveBatch& batch, const LaunchTimes& times) {
  StepStamps stamps{.begun = batch.begun, .done = clock_.Now()};
  if (times.input_start.has_value() && times.input_end.has_value() &&
      times.compute_start.has_value() && times.compute_end.has_value() &&
      times.output_end.has_value()) {
    stamps.input_start_us = *times.input_start;
    stamps.input_end_us = *times.input_end;
    stamps.compute_start_us = *times.compute_start;
    stamps.compute_end_us = *times.compute_end;
    stamps.output_end_us = *times.output_end;
  }
  for (const RowGroup& group : batch.launch.rows) {
    active_.at(group.request).stamps[static_cast<size_t>(group.node)] = stamps;
  }
}

void Engine::StampHostStep(const HostResult& result) {
  active_.at(result.request).stamps[static_cast<size_t>(result.node)] = {
      .done = clock_.Now(), .work_start = result.start, .work_end = result.end};
}

StageTimes Engine::StagesOf(const ActiveRequest& active, Outcome outcome, Instant answered) {
  const RequestSpan span{
      .received = active.in->received == Instant() ? active.arrived : active.in->received,
      .accepted = active.arrived,
      .answered = answered};
  if (outcome != Outcome::kOk) {
    return {.total = span.answered - span.received};
  }
  return AttributeStages(*active.in->plan, active.stamps, span);
}

}  // namespace omserve::scheduler
