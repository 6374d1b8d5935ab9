// SPDX-License-Identifier: Apache-2.0
// The core's part in batching: the queues of rows, and which of them leave together, when and to
// which lane.
#include <algorithm>
#include <tuple>

#include "runtime/base/check.h"
#include "scheduler/core.h"

namespace omserve::scheduler {
namespace {

// For awaited_by: a wait that goes on, of other rows than were counted.
constexpr int kNotCounted = -1;

}  // namespace

void Core::Touch(int subgraph) {
  SubgraphState& state = subgraphs_[static_cast<size_t>(subgraph)];
  if (!state.touched) {
    state.touched = true;
    touched_.push_back(subgraph);
  }
  if (!state.changed) {
    state.changed = true;
    changed_.push_back(subgraph);
  }
}

void Core::TouchNode(const Request& request, int node) {
  const PlanNode& plan_node = request.plan->nodes[static_cast<size_t>(node)];
  if (plan_node.on_device()) {
    Touch(plan_node.subgraph->index);
  }
}

void Core::TouchAll() {
  for (size_t s = 0; s < subgraphs_.size(); ++s) {
    if (!subgraphs_[s].is_vacant()) {
      Touch(static_cast<int>(s));
    }
  }
}

void Core::TouchDue() {
  if (next_wake_ > now_) {
    return;
  }
  for (size_t s = 0; s < wakes_.size(); ++s) {
    if (wakes_[s] <= now_) {
      Touch(static_cast<int>(s));
    }
  }
}

void Core::ScheduleTouched() {
  // Before anything is launched: not on a lane that hangs, nor for a request that had a batch
  // there.
  for (size_t i = 0; i < touched_.size(); ++i) {
    WatchBatches(subgraphs_[static_cast<size_t>(touched_[i])]);
  }
  // Subgraphs do not share lanes, so their order does not matter. A launch may put rows into the
  // queue of a subgraph that had its turn ("ahead"), so go round until nothing more is touched.
  while (!touched_.empty() || LaunchInArena()) {
    round_.swap(touched_);
    touched_.clear();
    std::sort(round_.begin(), round_.end());
    for (const int subgraph : round_) {
      SubgraphState& state = subgraphs_[static_cast<size_t>(subgraph)];
      state.touched = false;
      do {
        wake_ = Instant::max();
      } while (TryLaunch(state));
      ReturnTurns(state, /*keeps_granted=*/state.starved);
      // What was launched may run at once.
      SetWake(subgraph, std::min(wake_, WatchBatches(state)));
    }
  }
  // Who waits for memory holds no turn, or those who have the memory might wait for that.
  for (const int subgraph : starved_) {
    ReturnTurns(subgraphs_[static_cast<size_t>(subgraph)], /*keeps_granted=*/false);
  }
}

void Core::SetWake(int subgraph, Instant wake) {
  Instant& own = wakes_[static_cast<size_t>(subgraph)];
  const bool was_next = own == next_wake_;
  own = wake;
  if (wake <= next_wake_) {
    next_wake_ = wake;
  } else if (was_next) {
    next_wake_ = *std::min_element(wakes_.begin(), wakes_.end());
  }
}

int Core::BestLane(const SubgraphState& state) const {
  int best = -1;
  // The lane that is free first, as predicted; among equals (costs that are not known, a batch that
  // is late) the one with the fewest batches, so that an idle lane is always taken; then one that
  // need not ask for a turn.
  std::tuple<Instant, size_t, Turn> earliest;
  for (size_t lane = 0; lane < state.lanes.size(); ++lane) {
    const LaneState& candidate = state.lanes[lane];
    if (!candidate.serves ||
        candidate.batches.size() >= static_cast<size_t>(options_.batches_per_lane)) {
      continue;
    }
    const std::tuple<Instant, size_t, Turn> free{std::max(now_, candidate.busy_until),
                                                 candidate.batches.size(), candidate.turn};
    if ((best < 0 || free < earliest) && MayTakeTurn(state, candidate)) {
      best = static_cast<int>(lane);
      earliest = free;
    }
  }
  return best;
}

QueueSnapshot Core::Snapshot(const SubgraphState& state, const Queue& queue, int bucket,
                             int lane) const {
  QueueSnapshot snapshot;
  const LaneState& at = state.lanes[static_cast<size_t>(lane)];
  snapshot.ready_rows = queue.ready_rows;
  snapshot.ahead_rows = at.turn == Turn::kFree ? queue.ahead_rows : 0;
  snapshot.lane_idle = at.batches.empty();
  snapshot.hurries = hurries_;
  const Bucket& shape = state.subgraph->shape.buckets[static_cast<size_t>(bucket)];
  snapshot.max_rows = shape.max_rows();
  if (!state.options.policy.preferred_rows.empty()) {
    snapshot.preferred_fill = PreferredFill(state, queue);
  }
  if (queue.ready_rows > 0 && queue.holds.size() == queue.ready.size()) {
    snapshot.held_until = *queue.holds.begin();
    snapshot.latest_start = LatestStart(state, queue, shape);
  }
  if (state.options.policy.max_delay == Clock::duration::zero()) {
    return snapshot;  // Ages matter only where waiting is configured.
  }
  if (queue.ready_rows > 0) {
    snapshot.oldest_ready = queue.ready_ages.begin()->first;
  } else {
    snapshot.oldest_ahead = queue.ahead_ages.begin()->first;
  }
  snapshot.latest_start = LatestStart(state, queue, shape);
  return snapshot;
}

int Core::PreferredFill(const SubgraphState& state, const Queue& queue) {
  const std::vector<int>& sizes = state.options.policy.preferred_rows;
  int fill = 0;
  int rows = 0;
  for (const auto& [key, queued] : queue.ready_rows > 0 ? queue.ready : queue.ahead) {
    rows += queued.rows;
    if (rows > sizes.back()) {
      break;
    }
    if (std::binary_search(sizes.begin(), sizes.end(), rows)) {
      fill = rows;
    }
  }
  return fill;
}

Instant Core::LatestStart(const SubgraphState& state, const Queue& queue,
                          const Bucket& shape) const {
  const bool ready = queue.ready_rows > 0;
  // A batch that waits is not full, so it holds all rows of the queue: the tightest deadline of any
  // priority counts. The walk is no longer than the largest gear.
  Instant tightest = Instant::max();
  int rows = 0;
  for (const auto& [key, queued] : ready ? queue.ready : queue.ahead) {
    if (rows >= shape.max_rows()) {
      break;
    }
    tightest = std::min(tightest, queued.latest_end);
    rows += queued.rows;
  }
  return LatestStartFor(state, shape, rows, tightest,
                        (ready ? queue.ready_ages : queue.ahead_ages).begin()->first);
}

Instant Core::LatestStartFor(const SubgraphState& state, const Bucket& shape, int rows,
                             Instant tightest, Instant oldest) const {
  if (tightest == Instant::max()) {
    return tightest;
  }
  const Clock::duration cost =
      state.costs.Expected(shape.GearFor(std::min(rows, shape.max_rows())).model_gear);
  if (cost == Clock::duration::zero()) {
    // Nothing is known of the gear, as always on a device without timestamps: waiting may take half
    // of the time there is.
    return oldest + (tightest - oldest) / 2;
  }
  // The cost is a mean, and of the computation alone; as much again is kept for the copies, a
  // co-runner and the spread. To start at deadline - cost would be to miss it by the copy's time.
  return tightest - 2 * cost;
}

Instant Core::CompanyUntil(SubgraphState& state, int bucket, int lane) {
  Queue& queue = state.queues[static_cast<size_t>(bucket)];
  const Bucket& shape = state.subgraph->shape.buckets[static_cast<size_t>(bucket)];
  const Clock::duration alone = state.costs.Expected(shape.GearFor(queue.ready_rows).model_gear);
  if (alone == Clock::duration::zero()) {
    return Instant::min();
  }
  Clock::duration longest{0};
  fit_gears_.clear();
  for (const BatchGear& gear : shape.gears) {
    fit_gears_.push_back({gear.rows, state.costs.Expected(gear.model_gear)});
    longest = std::max(longest, fit_gears_.back().cost);
  }
  if (queue.awaited_by != queue.ready_rows) {
    queue.awaited_from = queue.awaited_by == 0 ? now_ : queue.awaited_from;
    queue.awaited_by = queue.ready_rows;
    queue.awaited_since = now_;
    queue.gaps.Begin(queue.ready_rows, now_, 2 * longest);
  }
  DelayQuery query{.rows = queue.ready_rows, .gears = fit_gears_};
  for (size_t l = 0; l < state.lanes.size(); ++l) {
    const LaneState& other = state.lanes[l];
    if (other.serves && static_cast<int>(l) != lane) {
      query.other_lane =
          std::min(query.other_lane, std::max(Clock::duration::zero(), other.busy_until - now_));
    }
  }
  const Clock::duration delay = DerivedDelay(query, queue.gaps);
  return delay == Clock::duration::zero()
             ? Instant::min()
             : std::min(queue.awaited_since + delay, queue.awaited_from + alone);
}

void Core::OrderBuckets(SubgraphState& state) {
  state.order.clear();
  for (size_t bucket = 0; bucket < state.queues.size(); ++bucket) {
    if (state.queues[bucket].ready_rows + state.queues[bucket].ahead_rows > 0) {
      state.order.push_back(static_cast<int>(bucket));
    }
  }
  std::sort(state.order.begin(), state.order.end(), [&state](int a, int b) {
    const Queue& left = state.queues[static_cast<size_t>(a)];
    const Queue& right = state.queues[static_cast<size_t>(b)];
    if (left.ready.empty() != right.ready.empty()) {
      return right.ready.empty();  // Rows with inputs before rows launched ahead.
    }
    return (left.ready.empty() ? left.ahead : left.ready).begin()->first <
           (right.ready.empty() ? right.ahead : right.ready).begin()->first;
  });
}

bool Core::TryLaunch(SubgraphState& state) {
  if (state.sequences.has_value()) {
    return !state.free_sets.empty() && TryLaunchSequences(state);
  }
  const int lane = BestLane(state);
  if (lane < 0) {
    RenewClaim(state);
    return false;
  }
  OrderBuckets(state);
  if (state.free_sets.empty()) {
    Unclaim(state);
    Starve(state);
    return false;
  }
  const auto decide = [&](int bucket, bool overtaken) {
    const Queue& queue = state.queues[static_cast<size_t>(bucket)];
    QueueSnapshot snapshot = Snapshot(state, queue, bucket, lane);
    snapshot.overtaken = overtaken;
    if (state.options.policy.derives_delay && snapshot.lane_idle && !hurries_ &&
        snapshot.ready_rows > 0 && snapshot.ready_rows < snapshot.max_rows) {
      snapshot.company_until = CompanyUntil(state, bucket, lane);
      if (snapshot.company_until > now_) {
        snapshot.latest_start =
            LatestStart(state, queue, state.subgraph->shape.buckets[static_cast<size_t>(bucket)]);
      }
    }
    return DecideBatch(state.options.policy, snapshot, now_);
  };
  for (size_t i = 0; i < state.order.size(); ++i) {
    BatchDecision decision = decide(state.order[i], false);
    if (decision.rows == 0) {
      wake_ = std::min(wake_, decision.wait_until);
      continue;
    }
    // A more urgent bucket may have been passed over because its batch is not full and the lane is
    // busy. It goes first, full or not: else a bucket whose batches are always full would keep it
    // out for ever.
    size_t chosen = i;
    for (size_t earlier = 0; earlier < i; ++earlier) {
      if (const BatchDecision other = decide(state.order[earlier], true); other.rows > 0) {
        decision = other;
        chosen = earlier;
        break;
      }
    }
    const Queue& queue = state.queues[static_cast<size_t>(state.order[chosen])];
    const QueueKey head = (decision.ahead ? queue.ahead : queue.ready).begin()->first;
    Claim(state, head);
    if (!MayGoNow(state, head)) {
      return false;
    }
    if (!FitDeadlines(state, state.order[chosen], lane, decision) && HasTurn(state, lane)) {
      LaunchFrom(state, state.order[chosen], lane, decision);
    }
    return true;
  }
  Unclaim(state);
  return false;
}

bool Core::HasOtherIdleLane(const SubgraphState& state, int lane) {
  for (size_t l = 0; l < state.lanes.size(); ++l) {
    const LaneState& other = state.lanes[l];
    if (static_cast<int>(l) != lane && other.serves && other.batches.empty()) {
      return true;
    }
  }
  return false;
}

void Core::LaunchFrom(SubgraphState& state, int bucket, int lane, const BatchDecision& decision) {
  Queue& queue = state.queues[static_cast<size_t>(bucket)];
  std::map<QueueKey, Queued>& from = decision.ahead ? queue.ahead : queue.ready;
  auto& from_ages = decision.ahead ? queue.ahead_ages : queue.ready_ages;
  int& from_rows = decision.ahead ? queue.ahead_rows : queue.ready_rows;
  if (queue.awaited_by != 0) {
    // What stays behind goes on waiting only before an idle lane, and is not those who were there.
    queue.awaited_by = HasOtherIdleLane(state, lane) ? kNotCounted : 0;
  }
  state.claim.reset();  // Others wait for this batch now.
  Launch launch{.batch = next_batch_++,
                .subgraph = state.subgraph->index,
                .bucket = bucket,
                .lane = lane,
                .reason = decision.reason,
                .oldest_queued = Instant::max()};
  // Strictly in order: a group that does not fit ends the batch, so that a large request is never
  // overtaken for ever by small ones. The first always fits, since groups are at most one gear.
  const int limit = std::max(decision.rows, from.begin()->second.rows);
  while (!from.empty() && launch.row_count + from.begin()->second.rows <= limit) {
    const auto& [key, queued] = *from.begin();
    launch.rows.push_back({key.request, key.node, queued.rows, launch.row_count});
    launch.row_count += queued.rows;
    launch.oldest_queued = std::min(launch.oldest_queued, queued.since);
    launch.total_queued += now_ - queued.since;
    from_rows -= queued.rows;
    CountLevel(state, key.priority, -queued.rows);
    from_ages.erase({queued.since, key});
    from.erase(from.begin());
  }
  if (queue.ready_rows == 0) {
    queue.awaited_by = 0;
  }
  Send(state, std::move(launch));
}

void Core::Send(SubgraphState& state, Launch launch) {
  const BatchId id = launch.batch;
  const Bucket& shape = state.subgraph->shape.buckets[static_cast<size_t>(launch.bucket)];
  launch.gear = shape.GearFor(launch.row_count);
  LaneState& at = state.lanes[static_cast<size_t>(launch.lane)];
  at.batches.push_back(id);
  if (at.turn != Turn::kFree) {
    UseTurn(at, launch);
  }
  TakeOutputs(state, launch);

  Batch batch{.subgraph = launch.subgraph,
              .lane = launch.lane,
              .model_gear = launch.gear.model_gear,
              .output_set = launch.output_set,
              .rows = launch.rows};
  for (const RowGroup& group : launch.rows) {
    Request& request = requests_.at(group.request);
    NodeRecord& record = request.nodes[static_cast<size_t>(group.node)];
    OMSERVE_CHECK(record.state == NodeState::kQueued && !request.responded,
                  "only queued rows of unanswered requests are launched");
    Unhold(request, group.node);
    record.state = NodeState::kLaunched;
    record.batch = id;
    ReleaseSiblings(request, group.node);
    RemoveFromBacklog(request, group.node);
    ++request.in_flight;
    request.ran = true;
    for (const int consumer : request.plan->nodes[static_cast<size_t>(group.node)].consumers) {
      batch.uses_left += request.plan->nodes[static_cast<size_t>(consumer)].on_device() ? 1 : 0;
    }
  }
  PredictEnd(batch, state);
  const Batch& launched = batches_.emplace(id, std::move(batch)).first->second;
  out_->push_back(std::move(launch));
  for (const RowGroup& group : launched.rows) {
    AdvanceConsumers(group.request, requests_.at(group.request), group.node);
  }
}

Core::SubgraphState& Core::StateOf(const Request& request, int node) {
  const Subgraph& subgraph = *request.plan->nodes[static_cast<size_t>(node)].subgraph;
  return subgraphs_[static_cast<size_t>(subgraph.index)];
}

Core::Queue& Core::QueueOf(const Request& request, int node) {
  return StateOf(request, node)
      .queues[static_cast<size_t>(request.buckets[static_cast<size_t>(node)])];
}

Core::QueueKey Core::KeyOf(RequestId id, const Request& request, int node) const {
  return {request.priority, request.delayed, request.due, id, node};
}

void Core::Enqueue(RequestId id, Request& request, int node, bool ready) {
  TouchNode(request, node);
  if (SequencesOf(request, node) != nullptr) {  // Which has had it since it arrived.
    request.nodes[static_cast<size_t>(node)].state = NodeState::kQueued;
    CountLevel(StateOf(request, node), request.priority, request.rows);
    return;
  }
  Queue& queue = QueueOf(request, node);
  const QueueKey key = KeyOf(id, request, node);
  Instant latest_end = request.deadline;  // Of this step, so that those after it are in time.
  if (latest_end != Instant::max()) {
    latest_end -= request.nodes[static_cast<size_t>(node)].tail;
  }
  (ready ? queue.ready : queue.ahead)[key] = {request.rows, now_, latest_end};
  (ready ? queue.ready_ages : queue.ahead_ages).emplace(now_, key);
  (ready ? queue.ready_rows : queue.ahead_rows) += request.rows;
  if (ready && StateOf(request, node).options.policy.derives_delay) {
    queue.gaps.NoteArrival(request.rows, now_);
  }
  request.nodes[static_cast<size_t>(node)].state = NodeState::kQueued;
  if (ready) {
    Hold(request, node);
  }
  CountLevel(StateOf(request, node), request.priority, request.rows);
}

void Core::Dequeue(RequestId id, Request& request, int node) {
  TouchNode(request, node);
  if (SequencesOf(request, node) != nullptr) {  // End takes it out, and its sequence with it.
    request.nodes[static_cast<size_t>(node)].state = NodeState::kWaiting;
    CountLevel(StateOf(request, node), request.priority, -request.rows);
    return;
  }
  Unhold(request, node);
  Queue& queue = QueueOf(request, node);
  const QueueKey key = KeyOf(id, request, node);
  if (const auto at = queue.ready.find(key); at != queue.ready.end()) {
    queue.ready_ages.erase({at->second.since, key});
    queue.ready.erase(at);
    queue.ready_rows -= request.rows;
    queue.awaited_by = queue.ready_rows == 0 ? 0 : queue.awaited_by;
  } else if (const auto ahead = queue.ahead.find(key); ahead != queue.ahead.end()) {
    queue.ahead_ages.erase({ahead->second.since, key});
    queue.ahead.erase(ahead);
    queue.ahead_rows -= request.rows;
  }
  request.nodes[static_cast<size_t>(node)].state = NodeState::kWaiting;
  CountLevel(StateOf(request, node), request.priority, -request.rows);
}

void Core::CountLevel(SubgraphState& state, uint64_t priority, int rows) {
  if (state.options.level_rows.Of(priority) > 0) {
    const auto level = state.queued_by_level.try_emplace(priority, 0).first;
    level->second += rows;
    if (level->second == 0) {
      state.queued_by_level.erase(level);  // Clients choose priorities: none is kept for nothing.
    }
  }
}

bool Core::HasRoom(const SubgraphState& state, uint64_t priority, int rows) const {
  const int bound = state.options.max_queue_rows;
  if (bound > 0 && queued_rows(state.subgraph->index) + rows > bound) {
    return false;
  }
  const int level_bound = state.options.level_rows.Of(priority);
  if (level_bound == 0) {
    return true;
  }
  const auto level = state.queued_by_level.find(priority);
  return (level == state.queued_by_level.end() ? 0 : level->second) + rows <= level_bound;
}

}  // namespace omserve::scheduler
