// SPDX-License-Identifier: Apache-2.0
#include "tests/sim/core_checker.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
bool CoreChecker::Waiting::operator<(const Waiting& other) const {
  return std::tie(priority, delayed, due, request, node) <
         std::tie(other.priority, other.delayed, other.due, other.request, other.node);
}

void CoreChecker::Expect(bool holds, const std::string& what) {
  if (!holds && violation_.empty()) {
    violation_ = what;
  }
}

void CoreChecker::Before(const Event& event, Instant now) {
  now_ = now;
  arriving_.clear();
  cancelling_ = 0;
  arrival_full_ = false;
  arrival_full_of_bytes_ = false;
  losing_ = false;
  stuck_ = {-1, -1};
  joined_ = false;
  lanes_abandoned_.clear();
  released_.clear();
  IdleOut();
  for (auto& [id, request] : requests_) {
    if (!request.delayed && request.arrival.delay_at <= now_) {
      request.delayed = true;
      counts_.delayed += request.answered ? 0 : 1;
    }
  }
  std::visit([this](const auto& e) { Apply(e); }, event);
}

void CoreChecker::Apply(const Arrive& event) { Arrived({&event, 1}); }

void CoreChecker::Apply(const ArriveTogether& event) {
  Arrived(event.parts);
  ++(arrival_full_ ? counts_.together_refused : counts_.together_accepted);
}

void CoreChecker::Arrived(std::span<const Arrive> arrivals) {
  arrival_full_ = IsFull(arrivals);
  arrival_full_of_bytes_ = IsFullOfBytes(arrivals);
  for (const Arrive& arrival : arrivals) {
    arriving_.insert(arrival.request);
    seen_.insert(arrival.request);
    Request& request = requests_[arrival.request];
    request.arrival = arrival;
    request.arrived = now_;
    request.order = seen_.size();
    request.together = arrivals.front().request;
    request.delayed = arrival.delay_at <= now_;
    request.steps.resize(arrival.plan->nodes.size());
    SetTails(request);
  }
}

bool CoreChecker::IsFull(std::span<const Arrive> arrivals) {
  const Arrive& event = arrivals.front();
  int rows = 0;
  for (const Arrive& arrival : arrivals) {
    rows += arrival.rows;
  }
  int held_rows = 0;
  for (const auto& [id, request] : requests_) {
    held_rows += IsHeld(request) ? request.arrival.rows : 0;
  }
  if (held_rows > 0 && held_rows + rows > options_.max_rows) {
    return true;
  }
  return std::any_of(event.plan->nodes.begin(), event.plan->nodes.end(), [&](const PlanNode& node) {
    if (!node.on_device()) {
      return false;
    }
    const int index = node.subgraph->index;
    const Core::SubgraphOptions& options = subgraphs_[static_cast<size_t>(index)].options;
    const int bound = options.max_queue_rows;
    if (bound > 0 && QueuedRows(index, /*without_expired=*/true) + rows > bound) {
      return true;
    }
    const int level = options.level_rows.Of(event.priority);
    return level > 0 && QueuedRows(index, /*without_expired=*/true, event.priority) + rows > level;
  });
}

// Requests whose deadline has come are answered before anything else is looked at.
bool CoreChecker::IsHeld(const Request& request) const {
  return request.running > 0 || !IsOver(request);
}

bool CoreChecker::IsFullOfBytes(std::span<const Arrive> arrivals) const {
  size_t bytes = 0;
  for (const Arrive& arrival : arrivals) {
    bytes += arrival.input_bytes;
  }
  size_t held = 0;
  for (const auto& [id, request] : requests_) {
    held += IsHeld(request) ? request.arrival.input_bytes : 0;
  }
  return options_.max_input_bytes > 0 && held > 0 && held + bytes > options_.max_input_bytes;
}

Clock::duration CoreChecker::CostOf(const Request& request, size_t node) const {
  const PlanNode& plan_node = request.arrival.plan->nodes[node];
  if (!plan_node.on_device()) {
    return Clock::duration::zero();
  }
  const Bucket& bucket =
      plan_node.subgraph->shape.buckets[static_cast<size_t>(request.arrival.buckets[node])];
  return subgraphs_[static_cast<size_t>(plan_node.subgraph->index)].costs.ForRefusal(
      bucket.GearFor(request.arrival.rows).model_gear, now_);
}

void CoreChecker::SetTails(Request& request) const {
  const std::vector<PlanNode>& nodes = request.arrival.plan->nodes;
  request.tails.resize(nodes.size());
  for (size_t n = nodes.size(); n-- > 0;) {
    for (const int consumer : nodes[n].consumers) {
      const auto c = static_cast<size_t>(consumer);
      request.tails[n] = std::max(request.tails[n], request.tails[c] + CostOf(request, c));
    }
  }
}

void CoreChecker::Apply(const Cancel& event) { cancelling_ = event.request; }

void CoreChecker::Apply(const BatchDone& event) {
  Batch& batch = batches_.at(event.batch);
  batch.done = true;
  if (event.ok && batch.runs_since != Instant::max()) {
    const Clock::duration cost =
        event.device_time > Clock::duration::zero() ? event.device_time : now_ - batch.runs_since;
    if (cost > Clock::duration::zero()) {
      subgraphs_[static_cast<size_t>(batch.launch.subgraph)].costs.Record(
          batch.launch.gear.model_gear, cost, now_);
    }
  }
  --subgraphs_[static_cast<size_t>(batch.launch.subgraph)]
        .in_flight[static_cast<size_t>(batch.launch.lane)];
  for (const RowGroup& group : batch.launch.rows) {
    Request& request = requests_.at(group.request);
    request.steps[static_cast<size_t>(group.node)].state = State::kDone;
    --request.running;
    request.failed = request.failed || !event.ok;
    if (request.sequence != 0) {
      if (!event.ok) {
        BreakSequence(sequences_.at(request.sequence));
      }
      LeaveSequence(group.request, /*ran=*/true);
    }
  }
}

void CoreChecker::Apply(const HostStepDone& event) {
  Request& request = requests_.at(event.request);
  request.steps[static_cast<size_t>(event.node)].state = State::kDone;
  --request.running;
  request.failed = request.failed || !event.ok;
}

void CoreChecker::Apply(const LookedUp& event) {
  Request& request = requests_.at(event.request);
  Step& step = request.steps[static_cast<size_t>(event.node)];
  step.looked_up = true;
  step.state = event.hit || request.answered ? State::kDone : State::kWaiting;
  --request.running;
  ++(event.hit ? counts_.cache_hits : counts_.cache_misses);
}

void CoreChecker::Apply(const TimerFired&) { armed_ = Instant::max(); }

void CoreChecker::Apply(const Hurry&) { hurries_ = true; }

void CoreChecker::Apply(const Drain&) {
  draining_ = true;
  hurries_ = true;
}

void CoreChecker::Apply(const LaneUp& event) {
  subgraphs_[static_cast<size_t>(event.subgraph)].serves[static_cast<size_t>(event.lane)] = true;
  ++counts_.lanes_up;
}

void CoreChecker::Apply(const DeviceLost&) {
  device_lost_ = true;
  losing_ = true;
  ++counts_.devices_lost;
  for (SubgraphRef& ref : subgraphs_) {
    ref.serves.assign(ref.serves.size(), false);
  }
  for (auto& [number, sequence] : sequences_) {
    BreakSequence(sequence);
  }
}

void CoreChecker::Apply(const LaneStuck& event) { stuck_ = {event.subgraph, event.lane}; }

void CoreChecker::Apply(const DeviceBack&) {
  device_lost_ = false;
  for (SubgraphRef& ref : subgraphs_) {
    ref.serves.assign(ref.serves.size(), true);
  }
}

CoreChecker::Kind CoreChecker::KindOf(const Request& request, size_t node) const {
  const PlanNode& plan_node = request.arrival.plan->nodes[node];
  if (request.answered || !plan_node.on_device() || request.steps[node].state != State::kWaiting ||
      (plan_node.is_cached && !request.steps[node].looked_up)) {
    return Kind::kNone;
  }
  Kind kind = Kind::kReady;
  for (const int producer : plan_node.producers) {
    const State state = request.steps[static_cast<size_t>(producer)].state;
    if (state == State::kDone) {
      continue;
    }
    if (state != State::kRunning || !NodeOf(request.arrival, producer).on_device()) {
      return Kind::kNone;
    }
    kind = Kind::kAhead;
  }
  return kind;
}

std::vector<CoreChecker::Waiting> CoreChecker::QueueOf(int subgraph, int bucket, Kind kind) {
  std::vector<Waiting> queue;
  for (auto& [id, request] : requests_) {
    for (size_t n = 0; n < request.steps.size(); ++n) {
      const Subgraph* of = request.arrival.plan->nodes[n].subgraph;
      if (of == nullptr || of->index != subgraph || request.arrival.buckets[n] != bucket ||
          KindOf(request, n) != kind) {
        continue;
      }
      Step& step = request.steps[n];
      if (step.kind != kind) {
        step.kind = kind;
        step.since = now_;
      }
      queue.push_back({request.arrival.priority, request.delayed,
                       std::min(request.arrival.deadline, request.arrived + options_.patience), id,
                       static_cast<int>(n), request.arrival.rows, step.since,
                       request.arrival.deadline});
    }
  }
  std::sort(queue.begin(), queue.end());
  return queue;
}

int CoreChecker::QueuedRows(int subgraph, bool without_expired, uint64_t priority) {
  int rows = 0;
  const size_t buckets = subgraphs_[static_cast<size_t>(subgraph)].subgraph->shape.buckets.size();
  for (size_t bucket = 0; bucket < buckets; ++bucket) {
    for (const Kind kind : {Kind::kAhead, Kind::kReady}) {
      for (const Waiting& waiting : QueueOf(subgraph, static_cast<int>(bucket), kind)) {
        const bool counts = !(without_expired && IsOver(requests_.at(waiting.request))) &&
                            (priority == 0 || priority == waiting.priority);
        rows += counts ? waiting.rows : 0;
      }
    }
  }
  return rows;
}

int CoreChecker::SumOf(const std::vector<Waiting>& queue) {
  int rows = 0;
  for (const Waiting& waiting : queue) {
    rows += waiting.rows;
  }
  return rows;
}

bool CoreChecker::IsFilled(const SubgraphRef& ref, int bucket, const std::vector<Waiting>& queue) {
  const int rows = SumOf(queue);
  const std::vector<int>& preferred = ref.options.policy.preferred_rows;
  if (rows >= ref.subgraph->shape.buckets[static_cast<size_t>(bucket)].max_rows() ||
      (!preferred.empty() && rows > preferred.back())) {
    return true;
  }
  int front = 0;
  return std::any_of(queue.begin(), queue.end(), [&](const Waiting& waiting) {
    front += waiting.rows;
    return std::find(preferred.begin(), preferred.end(), front) != preferred.end();
  });
}

bool CoreChecker::HasUses(const Batch& batch) const {
  return std::any_of(
      batch.launch.rows.begin(), batch.launch.rows.end(), [this](const RowGroup& group) {
        const auto found = requests_.find(group.request);
        if (found == requests_.end()) {
          return false;
        }
        const Request& request = found->second;
        const PlanNode& node = NodeOf(request.arrival, group.node);
        return std::any_of(node.consumers.begin(), node.consumers.end(), [&](int consumer) {
          const State state = request.steps[static_cast<size_t>(consumer)].state;
          return NodeOf(request.arrival, consumer).on_device() &&
                 (state == State::kRunning || (state < State::kRunning && !request.answered));
        });
      });
}

void CoreChecker::Check(const Command& command) {
  std::visit([this](const auto& c) { CheckCommand(c); }, command);
}

void CoreChecker::CheckCommand(const StartHostStep& start) {
  ++counts_.host_steps;
  const auto found = requests_.find(start.request);
  const std::string name = fmt::format("host step r{}.{}", start.request, start.node);
  if (found == requests_.end()) {
    Expect(false, name + " starts, but its request is not there");
    return;
  }
  Request& request = found->second;
  const PlanNode& node = NodeOf(request.arrival, start.node);
  Step& step = request.steps[static_cast<size_t>(start.node)];
  Expect(!node.on_device() && step.state == State::kWaiting, name + " starts twice");
  Expect(!request.answered, name + " starts after its answer");
  Expect(request.arrival.deadline > now_, name + " starts at or after its deadline");
  Expect(std::all_of(node.producers.begin(), node.producers.end(),
                     [&](int producer) {
                       return request.steps[static_cast<size_t>(producer)].state == State::kDone;
                     }),
         name + " starts before its producers are done");
  step.state = State::kRunning;
  ++request.running;
}

void CoreChecker::CheckCommand(const LookUp& look_up) {
  const auto found = requests_.find(look_up.request);
  const std::string name = fmt::format("step r{}.{}", look_up.request, look_up.node);
  if (found == requests_.end()) {
    Expect(false, name + " is looked up, but its request is not there");
    return;
  }
  Request& request = found->second;
  const PlanNode& node = NodeOf(request.arrival, look_up.node);
  Step& step = request.steps[static_cast<size_t>(look_up.node)];
  Expect(node.is_cached && step.state == State::kWaiting && !step.looked_up,
         name + " is looked up once, if it is cached");
  Expect(!request.answered, name + " is looked up after its answer");
  Expect(std::all_of(node.producers.begin(), node.producers.end(),
                     [&](int producer) {
                       return request.steps[static_cast<size_t>(producer)].state == State::kDone;
                     }),
         name + " is looked up before its inputs are there");
  step.state = State::kLooking;
  ++request.running;
}

void CoreChecker::CheckCommand(const Retire& retire) {
  const auto found = requests_.find(retire.request);
  const std::string name = fmt::format("r{}", retire.request);
  if (found == requests_.end()) {
    Expect(false, name + " is retired twice");
    return;
  }
  Expect(found->second.answered, name + " is retired before its answer");
  Expect(found->second.running == 0, name + " is retired while something runs for it");
  requests_.erase(found);
  arena_owner_ = arena_owner_ == retire.request ? 0 : arena_owner_;
}

void CoreChecker::CheckCommand(const Release& release) {
  // Whether it was time is judged after the event: an answer that ends the last use may follow.
  Expect(batches_.contains(release.batch) && released_.insert(release.batch).second,
         fmt::format("b{} is released twice", release.batch));
}

void CoreChecker::CheckCommand(const AbandonLane& abandon) {
  ++counts_.abandoned;
  const auto arrived = requests_.find(Newcomer());
  if (arrived != requests_.end() && !arrived->second.answered) {
    JoinSequence();  // Before its sequence ends with the lane.
  }
  SubgraphRef& ref = subgraphs_.at(static_cast<size_t>(abandon.subgraph));
  const std::string name = fmt::format("s{} lane {}", abandon.subgraph, abandon.lane);
  Expect(ref.serves.at(static_cast<size_t>(abandon.lane)), name + " is abandoned twice");
  ref.serves.at(static_cast<size_t>(abandon.lane)) = false;
  lanes_abandoned_.insert(abandon.subgraph);
  for (auto& [number, sequence] : sequences_) {
    if (sequence.subgraph == ref.subgraph && sequence.lane == abandon.lane) {
      BreakSequence(sequence);
    }
  }
  if (stuck_ == std::pair(abandon.subgraph, abandon.lane)) {
    return;
  }
  Expect(OldestOn(abandon.subgraph, abandon.lane) == abandon.batch,
         name + " is abandoned for its oldest batch");
  const auto hung = batches_.find(abandon.batch);
  Expect(hung != batches_.end() && hung->second.runs_since != Instant::max() &&
             hung->second.runs_since + 2 * options_.run_budget.floor <= now_,
         name + " is abandoned only when a batch ran too long");
}

void CoreChecker::CheckCommand(const ArmTimer& arm) {
  Expect(arm.at > now_, "the timer is armed for a later instant");
  Expect(arm.at != armed_, "the timer is armed anew only for another instant");
  armed_ = arm.at;
}

}  // namespace omserve::scheduler
