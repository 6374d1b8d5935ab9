// SPDX-License-Identifier: Apache-2.0
// The engine's answers: what a request's end means to its client, and how answers leave.
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "scheduler/engine.h"

namespace omserve::scheduler {

absl::Status Engine::StatusOf(const Active& active, Outcome outcome) const {
  const std::string& model = active.in->plan->name;
  switch (outcome) {
    case Outcome::kOk:
      return absl::OkStatus();
    case Outcome::kFailed:
      return active.failure.ok() ? Internal("model '{}': a step failed", model) : active.failure;
    case Outcome::kCancelled:
      return active.failure.ok() ? Cancelled("model '{}': the client cancelled the request", model)
                                 : active.failure;
    case Outcome::kDeadlineExceeded:
      return DeadlineExceeded(
          "model '{}': the request's deadline passed before it was finished; "
          "steps that had not started were dropped",
          model);
    case Outcome::kQueueFull:
      return Unavailable("Exceeds maximum queue size for model '{}'; retry later", model);
    case Outcome::kDraining:
      return Unavailable("the server is shutting down");
    case Outcome::kLaneHung:
      return active.failure;
    case Outcome::kDeviceLost:
      return Unavailable("model '{}': device {} is being recovered: {}", model, device_.id(),
                         MessageOf(loss_));
    case Outcome::kSequenceNotStarted:
      return InvalidArgument(
          "inference request for sequence {} to model '{}' must specify the START flag on the "
          "first request of the sequence",
          active.in->sequence.id.ToString(), model);
    case Outcome::kSequenceEnded:
      return FailedPrecondition(
          "model '{}': sequence {} ended before this request, since an earlier request of it was "
          "not answered; start it again with sequence_start",
          model, active.in->sequence.id.ToString());
  }
  return Internal("model '{}': unknown outcome", model);
}

void Engine::Obey(const Respond& command) {
  Active& active = active_.at(command.request);
  if (command.outcome == Outcome::kDeviceLost && options_.diversion != nullptr && !active.ran &&
      active.split == nullptr) {
    active.in = options_.diversion->Divert(std::move(active.in));
    if (active.in == nullptr) {
      return;  // Retired next: nothing of it runs here.
    }
  }
  InferResponse response{.status = StatusOf(active, command.outcome)};
  if (response.status.ok()) {
    for (const int output : active.in->wanted) {
      const int tensor = active.in->plan->outputs[static_cast<size_t>(output)];
      const Place& place = active.places[static_cast<size_t>(tensor)];
      response.outputs.push_back(
          {.output = output, .dims = place.host_dims, .bytes = place.host, .owner = place.owner});
    }
  }
  response.trace = std::move(active.trace);
  response.stages = StagesOf(active, command.outcome, clock_.Now());
  if (active.split != nullptr) {
    TakePart(*active.split, active.part, command.outcome, std::move(response));
    return;
  }
  observer_.OnRequest({.plan = active.in->plan.get(),
                       .rows = active.in->rows,
                       .outcome = command.outcome,
                       .code = response.status.code(),
                       .stages = response.stages});
  answers_.push_back({std::move(active.in->done), active.in->group, std::move(response)});
}

void Engine::DeliverAnswers() {
  std::vector<const void*> groups;  // Of the answers behind the one at hand: few.
  for (auto answer = answers_.rbegin(); answer != answers_.rend(); ++answer) {
    if (answer->group != nullptr) {
      answer->response.more_follow =
          std::find(groups.begin(), groups.end(), answer->group) != groups.end();
      if (!answer->response.more_follow) {
        groups.push_back(answer->group);
      }
    }
  }
  for (ReadyAnswer& answer : answers_) {
    answer.done(std::move(answer.response));
  }
  answers_.clear();
}

}  // namespace omserve::scheduler
