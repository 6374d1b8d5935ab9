// SPDX-License-Identifier: Apache-2.0
// The engine's answers: what a request's end means to its client, and how answers leave.
#include <algorithm>
#include <chrono>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "scheduler/engine.h"

namespace omserve::scheduler {
namespace {

double Ms(Clock::duration time) { return std::chrono::duration<double, std::milli>(time).count(); }

}  // namespace

absl::Status Engine::StatusOf(const ActiveRequest& active, const Respond& respond) const {
  const std::string& model = active.in->plan->name;
  switch (respond.outcome) {
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
    case Outcome::kDropped:
      return DeadlineExceeded(
          "model '{}': the request cannot meet its deadline any longer: it would end {:.3f} ms "
          "late; steps that had not started were dropped",
          model, Ms(respond.late_by));
    case Outcome::kRefused:
      return RefusalStatus(*active.in->plan, respond);
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

absl::Status Engine::RefusalStatus(const Plan& plan, const Respond& respond) const {
  const auto refuse = [&respond](const std::string& message) {
    return ToStatus(respond.refusal, message);
  };
  const std::string& model = plan.name;
  switch (respond.refusal.reason) {
    case RefusalReason::kDeadlinePassed:
      return refuse(
          fmt::format("model '{}': the request's deadline passed {:.3f} ms before it arrived",
                      model, Ms(respond.late_by)));
    case RefusalReason::kDeadlineTooShort:
      return refuse(fmt::format(
          "model '{}': the request's deadline leaves {:.3f} ms less than its steps take by "
          "themselves",
          model, Ms(respond.late_by)));
    case RefusalReason::kDeadlineUnreachable:
      return refuse(fmt::format(
          "model '{}': the request would end {:.3f} ms after its deadline, for what was "
          "accepted before it",
          model, Ms(respond.late_by)));
    case RefusalReason::kQueueRows:
      return refuse(fmt::format("Exceeds maximum queue size for model '{}'; retry later", model));
    case RefusalReason::kQueueBytes:
      return refuse(fmt::format(
          "model '{}': the inputs of waiting requests hold all of the {} bytes that they may",
          model, options_.core.max_input_bytes));
    case RefusalReason::kQueueTime:
      return refuse(fmt::format(
          "model '{}': more device time waits than is allowed; half of it is over in {:.3f} ms",
          model, Ms(respond.refusal.retry_after)));
    case RefusalReason::kQueueMessages:
      return refuse(
          fmt::format("Exceeds maximum queue size: {} requests are on their way to the scheduler",
                      options_.max_messages));
    case RefusalReason::kDraining:
      return refuse("the server is shutting down");
    case RefusalReason::kDeviceLost:
      return refuse(fmt::format("model '{}': device {} is being recovered: {}", model, device_.id(),
                                MessageOf(loss_)));
    case RefusalReason::kUnloading:
      return refuse(fmt::format("model '{}' is being unloaded", model));
    case RefusalReason::kPinnedMemory:
    case RefusalReason::kStarting:
      break;  // The layers above refuse for these.
  }
  return refuse(fmt::format("model '{}': refused", model));
}

void Engine::Obey(const Respond& command) {
  ActiveRequest& active = active_.at(command.request);
  const bool lost = command.outcome == Outcome::kDeviceLost ||
                    (command.outcome == Outcome::kRefused &&
                     command.refusal.reason == RefusalReason::kDeviceLost);
  if (lost && !command.ran && options_.diversion != nullptr && active.split == nullptr) {
    active.in = options_.diversion->Divert(std::move(active.in));
    if (active.in == nullptr) {
      return;  // Retired next: nothing of it runs here.
    }
  }
  InferResponse response{.status = StatusOf(active, command)};
  active.is_answered = true;
  if (response.status.ok()) {
    response.outputs = OutputsToGive(active);
  }
  response.trace = std::move(active.trace);
  response.stages = StagesOf(active, command.outcome, clock_.Now());
  if (active.split != nullptr) {
    TakePart(*active.split, active.part, command, std::move(response));
    return;
  }
  Record(*active.in, command, response);
  answers_.push_back({std::move(active.in->done), active.in->group, std::move(response)});
}

void Engine::Record(const InferRequest& request, const Respond& respond,
                    const InferResponse& response) {
  RequestRecord record{.plan = request.plan.get(),
                       .rows = request.rows,
                       .outcome = respond.outcome,
                       .code = response.status.code(),
                       .stages = response.stages,
                       .ran = respond.ran,
                       .trace_id = request.trace_id};
  if (respond.outcome == Outcome::kRefused) {
    record.refusal = respond.refusal.reason;
  }
  observer_.OnRequest(record);
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
