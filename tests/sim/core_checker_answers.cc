// SPDX-License-Identifier: Apache-2.0
// CoreChecker's view of an answer: whether it is the one that the request must have.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/core_checker.h"

namespace omserve::scheduler {

void CoreChecker::CheckCommand(const Respond& respond) {
  ++counts_.outcomes.at(static_cast<size_t>(respond.outcome));
  const auto found = requests_.find(respond.request);
  const std::string name = fmt::format("r{}", respond.request);
  if (found == requests_.end() || found->second.answered) {
    Expect(false, name + " is answered twice");
    return;
  }
  const auto arrived = requests_.find(Newcomer());
  if (arrived != requests_.end() && !arrived->second.answered &&
      (respond.outcome == Outcome::kDropped ||
       (respond.outcome == Outcome::kSequenceEnded && respond.request == Newcomer()))) {
    JoinSequence();  // Before its sequence ends with another request of it.
  }
  Request& request = found->second;
  request.answered = true;
  const bool late = request.arrival.deadline <= now_;
  switch (respond.outcome) {
    case Outcome::kOk:
      Expect(!late && !request.failed &&
                 std::all_of(request.steps.begin(), request.steps.end(),
                             [](const Step& step) { return step.state == State::kDone; }),
             name + " is well only when every step is done");
      Expect(!WaitsForEarlier(request), name + " is answered before one that came earlier");
      break;
    case Outcome::kFailed:
      Expect(request.failed && !late, name + " fails only when a step failed");
      break;
    case Outcome::kCancelled:
      Expect(cancelling_ == respond.request && !late, name + " is cancelled only when told so");
      break;
    case Outcome::kDeadlineExceeded:
      Expect(late, name + " is late only at its deadline");
      break;
    case Outcome::kDropped:
      Expect(!late && request.arrival.deadline != Instant::max(),
             name + " is dropped before a deadline that it has");
      Expect(respond.late_by > Clock::duration::zero(), name + " is dropped for being late");
      break;
    case Outcome::kRefused:
      CheckRefusal(request, respond);
      break;
    case Outcome::kLaneHung:
      Expect(OnStoppedLane(respond.request) && !losing_ && !late,
             name + " fails with its lane only when that is abandoned");
      break;
    case Outcome::kDeviceLost:
      Expect(losing_ && !late, name + " fails with the device only when that is lost");
      break;
    case Outcome::kSequenceNotStarted:
      Expect(arriving_.contains(respond.request) && !joined_ && !request.arrival.sequence.start &&
                 !draining_ && !device_lost_ && !late && !IsUnloading(*request.arrival.plan),
             name + " is refused when it does not start a sequence");
      Expect(std::none_of(sequences_.begin(), sequences_.end(),
                          [&](const auto& entry) {
                            return entry.second.open &&
                                   entry.second.subgraph == SequenceSubgraph(request.arrival) &&
                                   entry.second.id == request.arrival.sequence.id;
                          }),
             name + " is refused only when its sequence is not open");
      break;
    case Outcome::kSequenceEnded:
      Expect(request.sequence != 0 && request.running == 0 &&
                 (sequences_.at(request.sequence).broken ||
                  lanes_abandoned_.contains(SequenceSubgraph(request.arrival)->index)),
             name + " ends with its sequence only");
      break;
  }
  if (request.sequence != 0 && respond.outcome != Outcome::kOk) {
    BreakSequence(sequences_.at(request.sequence));
    if (request.running == 0) {
      LeaveSequence(respond.request, /*ran=*/false);
    }
  }
}

bool CoreChecker::WaitsForEarlier(const Request& request) const {
  return request.arrival.plan->preserve_ordering &&
         std::any_of(requests_.begin(), requests_.end(), [&request](const auto& entry) {
           const Request& other = entry.second;
           return other.arrival.plan == request.arrival.plan && !other.answered &&
                  other.order < request.order;
         });
}

void CoreChecker::CheckRefusal(const Request& request, const Respond& respond) {
  ++counts_.refusals.at(static_cast<size_t>(respond.refusal.reason));
  const std::string name = fmt::format("r{}", respond.request);
  Expect(arriving_.contains(respond.request), name + " is refused only when it arrives");
  const bool late = request.arrival.deadline <= now_;
  const bool unloading = IsUnloading(*request.arrival.plan);
  const bool serves = !late && !draining_ && !device_lost_ && !unloading;
  const bool has_deadline = request.arrival.deadline != Instant::max();
  const bool has_hint = respond.refusal.retry_after > Clock::duration::zero();
  switch (respond.refusal.reason) {
    case RefusalReason::kDeadlinePassed:
      Expect(late, name + " is refused for a deadline that passed");
      break;
    case RefusalReason::kDraining:
      Expect(draining_ && !late, name + " is refused when draining");
      break;
    case RefusalReason::kDeviceLost:
      Expect(device_lost_ && !draining_ && !late && !unloading,
             name + " is refused for a lost device");
      break;
    case RefusalReason::kUnloading:
      Expect(unloading && !draining_ && !late, name + " is refused for a model that goes");
      break;
    case RefusalReason::kQueueRows:
      Expect(serves && arrival_full_ && has_hint, name + " is refused when full");
      break;
    case RefusalReason::kQueueBytes:
      Expect(serves && arrival_full_of_bytes_ && has_hint, name + " is refused when full of bytes");
      break;
    case RefusalReason::kQueueTime:
      Expect(serves && has_hint, name + " is refused for a bound on time");
      break;
    case RefusalReason::kDeadlineTooShort:
      Expect(serves && has_deadline && respond.late_by > Clock::duration::zero(),
             name + " is refused for a deadline that it has");
      break;
    case RefusalReason::kDeadlineUnreachable:
      Expect(serves && has_deadline && has_hint && respond.late_by > Clock::duration::zero(),
             name + " is refused for a deadline that it has");
      break;
    case RefusalReason::kQueueMessages:
    case RefusalReason::kPinnedMemory:
    case RefusalReason::kStarting:
      Expect(false, name + " is refused for what the core does not know");
      break;
  }
}

}  // namespace omserve::scheduler
