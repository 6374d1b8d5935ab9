// SPDX-License-Identifier: Apache-2.0
#include "scheduler/core.h"

#include <algorithm>

#include "runtime/base/check.h"

namespace omserve::scheduler {

int Core::queued_rows(int subgraph) const {
  const SubgraphState& state = subgraphs_[static_cast<size_t>(subgraph)];
  int rows = state.sequences.has_value() ? static_cast<int>(state.sequences->waiting()) : 0;
  for (const Queue& queue : state.queues) {
    rows += queue.ready_rows + queue.ahead_rows;
  }
  return rows;
}

int Core::queued_requests(int subgraph) const {
  const SubgraphState& state = subgraphs_[static_cast<size_t>(subgraph)];
  size_t requests = state.sequences.has_value() ? state.sequences->waiting() : 0;
  for (const Queue& queue : state.queues) {
    requests += queue.ready.size() + queue.ahead.size();
  }
  return static_cast<int>(requests);
}

void Core::Handle(std::span<const Event> events, Instant now, std::vector<Command>* commands) {
  now_ = now;
  out_ = commands;
  // Expiry comes first, so that nothing below can launch a row whose deadline has passed.
  ExpireDeadlines();
  ExpireSequences();
  DelayRequests();
  for (const Event& event : events) {
    std::visit([this](const auto& e) { On(e); }, event);
  }
  TouchDue();
  ScheduleTouched();
  AnswerInOrder();
  VacateIdle();
  wake_ = next_wake_;
  if (!delays_.empty()) {
    wake_ = std::min(wake_, delays_.begin()->first);
  }
  if (!deadlines_.empty()) {
    wake_ = std::min(wake_, deadlines_.begin()->first);
  }
  wake_ = std::min(wake_, NextSequenceExpiry());
  if (wake_ != armed_) {
    armed_ = wake_;
    out_->push_back(ArmTimer{wake_});
  }
  out_ = nullptr;
}

void Core::On(const Arrive& event) { Receive({&event, 1}); }

void Core::On(const ArriveTogether& event) { Receive(event.parts); }

void Core::Receive(std::span<const Arrive> arrivals) {
  for (const Arrive& arrival : arrivals) {
    Register(arrival);
  }
  std::optional<Respond> refusal = Refuse(arrivals);
  // Requests of sequences have one row: they never come in parts.
  if (!refusal.has_value() && !JoinSequences(arrivals.front())) {
    refusal = Respond{.outcome = Outcome::kSequenceNotStarted};
  }
  for (const Arrive& arrival : arrivals) {
    Request& request = requests_.at(arrival.request);
    if (refusal.has_value()) {
      refusal->request = arrival.request;
      End(arrival.request, request, *refusal);
    } else {
      Accept(arrival.request, request);
    }
    RetireIfIdle(arrival.request);
  }
}

Core::Request& Core::Register(const Arrive& event) {
  const Plan& plan = *event.plan;
  OMSERVE_CHECK(event.rows >= 1 && event.rows <= plan.max_rows,
                "a request's rows were checked against its plan before it was submitted");
  OMSERVE_CHECK(event.buckets.size() == plan.nodes.size(),
                "a request's buckets were resolved by its plan");
  const auto [at, added] = requests_.try_emplace(event.request);
  OMSERVE_CHECK(added, "request ids are never used twice");
  Request& request = at->second;
  request.plan = event.plan;
  request.buckets = event.buckets;
  request.nodes.resize(plan.nodes.size());
  request.rows = event.rows;
  request.priority = event.priority;
  request.deadline = event.deadline;
  request.due = std::min(event.deadline, now_ + options_.patience);
  request.delayed = event.delay_at <= now_;
  request.delay_at = request.delayed ? Instant::max() : event.delay_at;
  request.input_bytes = event.input_bytes;
  request.nodes_left = static_cast<int>(plan.nodes.size());
  return request;
}

void Core::On(const Cancel& event) {
  const auto found = requests_.find(event.request);
  if (found == requests_.end() || found->second.responded) {
    return;  // The answer was faster.
  }
  End(event.request, found->second, Outcome::kCancelled);
  RetireIfIdle(event.request);
}

void Core::On(const BatchDone& event) {
  const auto found = batches_.find(event.batch);
  OMSERVE_CHECK(found != batches_.end() && !found->second.done,
                "a batch is done once, after its launch");
  Batch& batch = found->second;
  SubgraphState& state = subgraphs_[static_cast<size_t>(batch.subgraph)];
  LaneState& lane = LaneAt(batch.subgraph, batch.lane);
  std::erase(lane.batches, event.batch);
  if (lane.turn == Turn::kUsed) {
    lane.turn = Turn::kSpent;
  }
  Touch(batch.subgraph);
  TouchApart(state);
  pairs_.End(event.batch, event.device_time, event.ok, now_);
  TakeVerdicts();
  if (event.ok && batch.runs_since.has_value()) {
    const Clock::duration ran = now_ - *batch.runs_since;
    state.budgets[batch.model_gear].Record(ran);
    // A device that cannot tell how long it computed is judged by when the end was heard of: more,
    // and what a request really waits for.
    const bool tells = event.device_time > Clock::duration::zero();
    const Clock::duration cost = tells ? event.device_time : ran;
    if (cost > Clock::duration::zero()) {
      state.costs.Record(batch.model_gear, cost, now_);
    }
  }
  PredictLane(lane, state);
  for (const RowGroup& group : batch.rows) {
    Request& request = requests_.at(group.request);
    --request.in_flight;
    // This batch has read what its producers made, whatever became of the request.
    DropUsesOf(request, group.node);
    if (!event.ok && !request.responded) {
      End(group.request, request, Outcome::kFailed);
    }
    FinishNode(group.request, request, group.node);
    if (state.sequences.has_value()) {
      state.sequences->Finish(group.request, now_);
    }
    RetireIfIdle(group.request);
  }
  batch.done = true;  // Only now: a use dropped above must not free the batch under this loop.
  ReleaseIfUnused(event.batch);
}

void Core::On(const HostStepDone& event) {
  Request& request = requests_.at(event.request);
  --request.in_flight;
  if (!event.ok && !request.responded) {
    End(event.request, request, Outcome::kFailed);
  }
  FinishNode(event.request, request, event.node);
  RetireIfIdle(event.request);
}

void Core::On(const LookedUp& event) {
  Request& request = requests_.at(event.request);
  --request.in_flight;
  NodeRecord& record = request.nodes[static_cast<size_t>(event.node)];
  OMSERVE_CHECK(record.state == NodeState::kLooking, "a step is looked up once");
  if (event.hit || request.responded) {
    if (!request.responded) {
      RemoveFromBacklog(request, event.node);
      DropUsesOf(request, event.node);  // It will never read them.
    }
    FinishNode(event.request, request, event.node);
    ReleaseSiblings(request, event.node);
  } else {
    record.state = NodeState::kWaiting;
    Enqueue(event.request, request, event.node, /*ready=*/true);
  }
  RetireIfIdle(event.request);
}

void Core::On(const TimerFired&) { armed_ = Instant::max(); }

void Core::On(const Hurry&) {
  hurries_ = true;
  TouchAll();
}

void Core::On(const Drain&) {
  draining_ = true;
  On(Hurry{});
}

void Core::ExpireDeadlines() {
  while (!deadlines_.empty() && deadlines_.begin()->first <= now_) {
    const RequestId id = deadlines_.begin()->second;
    Request& request = requests_.at(id);
    End(id, request, Outcome::kDeadlineExceeded);  // Takes it out of deadlines_.
    RetireIfIdle(id);
  }
}

Core::LaneState& Core::LaneAt(int subgraph, int lane) {
  return subgraphs_[static_cast<size_t>(subgraph)].lanes[static_cast<size_t>(lane)];
}

bool Core::ProducersAtLeast(const Request& request, int node, NodeState device,
                            NodeState host) const {
  const PlanNode& plan_node = request.plan->nodes[static_cast<size_t>(node)];
  return std::all_of(plan_node.producers.begin(), plan_node.producers.end(), [&](int producer) {
    const bool on_device = request.plan->nodes[static_cast<size_t>(producer)].on_device();
    return request.nodes[static_cast<size_t>(producer)].state >= (on_device ? device : host);
  });
}

void Core::AdvanceConsumers(RequestId id, Request& request, int node) {
  for (const int consumer : request.plan->nodes[static_cast<size_t>(node)].consumers) {
    AdvanceNode(id, request, consumer);
  }
}

void Core::AdvanceNode(RequestId id, Request& request, int node) {
  if (request.responded) {
    return;
  }
  NodeRecord& record = request.nodes[static_cast<size_t>(node)];
  const bool done = ProducersAtLeast(request, node, NodeState::kDone, NodeState::kDone);
  if (!request.plan->nodes[static_cast<size_t>(node)].on_device()) {
    if (done && record.state == NodeState::kWaiting) {
      record.state = NodeState::kLaunched;
      ++request.in_flight;
      request.ran = true;
      out_->push_back(StartHostStep{id, node});
    }
    return;
  }
  if (request.plan->nodes[static_cast<size_t>(node)].is_cached) {
    if (done && record.state == NodeState::kWaiting) {  // Never ahead: its inputs are read.
      record.state = NodeState::kLooking;
      ++request.in_flight;
      request.ran = true;
      out_->push_back(LookUp{id, node});
    }
    return;
  }
  if (record.state == NodeState::kQueued && done) {
    Dequeue(id, request, node);  // From `ahead` to `ready`; its time in the queue starts now.
  }
  if (record.state == NodeState::kWaiting &&
      ProducersAtLeast(request, node, NodeState::kLaunched, NodeState::kDone)) {
    Enqueue(id, request, node, done);
  }
}

void Core::FinishNode(RequestId id, Request& request, int node) {
  request.nodes[static_cast<size_t>(node)].state = NodeState::kDone;
  --request.nodes_left;
  for (const int consumer : request.plan->nodes[static_cast<size_t>(node)].consumers) {
    if (request.nodes[static_cast<size_t>(consumer)].state == NodeState::kLaunched) {
      TouchNode(request, consumer);  // Launched ahead: it may run now.
    }
  }
  if (request.responded) {
    return;
  }
  if (request.nodes_left == 0) {
    LeaveArena(id);  // It may still wait for its turn to be answered.
    if (request.plan->preserve_ordering) {
      moved_.push_back(request.plan.get());
    } else {
      End(id, request, Outcome::kOk);
    }
    return;
  }
  AdvanceConsumers(id, request, node);
}

void Core::End(RequestId id, Request& request, Outcome outcome) {
  End(id, request, Respond{.request = id, .outcome = outcome});
}

void Core::End(RequestId id, Request& request, Respond respond) {
  OMSERVE_CHECK(!request.responded, "a request is answered once");
  request.responded = true;
  if (request.deadline != Instant::max()) {
    deadlines_.erase({request.deadline, id});
  }
  if (request.delay_at != Instant::max()) {
    delays_.erase({request.delay_at, id});
  }
  if (request.plan->preserve_ordering) {
    moved_.push_back(request.plan.get());
  }
  for (size_t n = 0; n < request.nodes.size(); ++n) {
    const NodeState state = request.nodes[n].state;
    if (state == NodeState::kQueued) {
      Dequeue(id, request, static_cast<int>(n));
    }
    if (state <= NodeState::kQueued) {
      if (request.plan->nodes[n].on_device()) {
        RemoveFromBacklog(request, static_cast<int>(n));
        DropUsesOf(request, static_cast<int>(n));  // It will never read them.
      }
    }
  }
  respond.ran = request.ran;
  out_->push_back(respond);
  if (respond.outcome != Outcome::kOk && request.accepted) {
    EndSequencesOf(id, request);
  }
}

void Core::RetireIfIdle(RequestId id) {
  const auto found = requests_.find(id);
  if (found != requests_.end() && found->second.responded && found->second.in_flight == 0) {
    if (found->second.accepted) {
      rows_ -= found->second.rows;
      input_bytes_ -= found->second.input_bytes;
      CountRequest(*found->second.plan, -1);
    }
    requests_.erase(found);
    LeaveArena(id);
    out_->push_back(Retire{id});
  }
}

void Core::DropUsesOf(const Request& request, int node) {
  for (const int producer : request.plan->nodes[static_cast<size_t>(node)].producers) {
    const NodeRecord& record = request.nodes[static_cast<size_t>(producer)];
    if (request.plan->nodes[static_cast<size_t>(producer)].on_device() && record.batch != 0) {
      DropUse(record.batch);
    }
  }
}

void Core::DropUse(BatchId id) {
  Batch& batch = batches_.at(id);
  OMSERVE_CHECK(batch.uses_left > 0, "each use of a batch's outputs is dropped once");
  --batch.uses_left;
  ReleaseIfUnused(id);
}

void Core::ReleaseIfUnused(BatchId id) {
  const auto found = batches_.find(id);
  if (found != batches_.end() && found->second.done && found->second.uses_left == 0) {
    ReturnOutputs(id, found->second);
    batches_.erase(found);
    out_->push_back(Release{id});
  }
}

}  // namespace omserve::scheduler
