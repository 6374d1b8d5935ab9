// SPDX-License-Identifier: Apache-2.0
// The core's part in admission and deadlines: what is refused on arrival, what is dropped before it
// is launched, and the predictions that both rest on.
#include <algorithm>
#include <numeric>

#include "runtime/base/check.h"
#include "scheduler/core.h"

namespace omserve::scheduler {
namespace {

// A retry sooner than this meets the same queue.
constexpr std::chrono::milliseconds kLeastRetry{1};
// Of a cost that is kept free where others wait too: nearly all batches stay within it. A batch
// that ends late has used the device for nothing.
constexpr int kSpreads = 2;
// For so long after a refusal a queue counts as crowded: whoever is dropped from it is replaced.
constexpr std::chrono::milliseconds kCrowded{100};
// So many batches are looked through for rows that fill the best one.
constexpr int kLookAhead = 4;

int RowsOf(std::span<const Arrive> arrivals) {
  return std::accumulate(arrivals.begin(), arrivals.end(), 0,
                         [](int rows, const Arrive& arrival) { return rows + arrival.rows; });
}

size_t BytesOf(std::span<const Arrive> arrivals) {
  return std::accumulate(
      arrivals.begin(), arrivals.end(), size_t{0},
      [](size_t bytes, const Arrive& arrival) { return bytes + arrival.input_bytes; });
}

Respond Refused(RefusalReason reason) {
  return {.outcome = Outcome::kRefused, .refusal = {.reason = reason}};
}

}  // namespace

std::optional<Respond> Core::Refuse(std::span<const Arrive> arrivals) {
  const Instant deadline = arrivals.front().deadline;
  if (deadline <= now_) {
    Respond respond = Refused(RefusalReason::kDeadlinePassed);
    respond.late_by = now_ - deadline;
    return respond;
  }
  if (draining_) {
    return Refused(RefusalReason::kDraining);
  }
  if (IsUnloading(*arrivals.front().plan)) {
    return Refused(RefusalReason::kUnloading);
  }
  if (device_lost_) {
    return Refused(RefusalReason::kDeviceLost);
  }
  if (std::optional<Respond> respond = RefuseForBounds(arrivals)) {
    return respond;
  }
  return deadline == Instant::max() ? std::nullopt : RefuseForDeadline(arrivals);
}

std::optional<Respond> Core::RefuseForBounds(std::span<const Arrive> arrivals) const {
  const Plan& plan = *arrivals.front().plan;
  const int rows = RowsOf(arrivals);
  if (rows_ > 0 && rows > options_.max_rows - rows_) {
    return QueueRefusal(plan, RefusalReason::kQueueRows);
  }
  if (options_.max_input_bytes > 0 && input_bytes_ > 0 &&
      BytesOf(arrivals) + input_bytes_ > options_.max_input_bytes) {
    return QueueRefusal(plan, RefusalReason::kQueueBytes);
  }
  for (const PlanNode& node : plan.nodes) {
    if (!node.on_device()) {
      continue;
    }
    const SubgraphState& state = subgraphs_[static_cast<size_t>(node.subgraph->index)];
    if (!HasRoom(state, arrivals.front().priority, rows)) {
      return QueueRefusal(plan, RefusalReason::kQueueRows);
    }
    const Clock::duration own = state.options.max_queue_time;
    const Clock::duration most = own > Clock::duration::zero() ? own : options_.max_queue_time;
    const Instant free_at = FreeAt(node.subgraph->index);
    if (most > Clock::duration::zero() && free_at != Instant::max() && free_at - now_ > most) {
      Respond respond = QueueRefusal(plan, RefusalReason::kQueueTime);
      respond.refusal.retry_after =
          std::max<Clock::duration>(kLeastRetry, free_at - now_ - most / 2);
      return respond;
    }
  }
  return std::nullopt;
}

// Whoever is refused for a bound is told to come back when half of what waits is gone: sooner, all
// that were refused would meet at the same bound again.
Respond Core::QueueRefusal(const Plan& plan, RefusalReason reason) const {
  Clock::duration longest{0};
  for (const PlanNode& node : plan.nodes) {
    if (node.on_device()) {
      const Instant free_at = FreeAt(node.subgraph->index);
      longest = free_at == Instant::max() ? longest : std::max(longest, free_at - now_);
    }
  }
  Respond respond = Refused(reason);
  respond.refusal.retry_after = std::max<Clock::duration>(kLeastRetry, longest / 2);
  return respond;
}

std::optional<Respond> Core::RefuseForDeadline(std::span<const Arrive> arrivals) {
  const Arrive& first = arrivals.front();
  const Plan& plan = *first.plan;
  const Urgency urgency{first.priority, std::min(first.deadline, now_ + options_.patience)};
  ends_.assign(plan.nodes.size(), {now_, now_});
  Instant end = now_;
  Instant end_alone = now_;
  for (size_t n = 0; n < plan.nodes.size(); ++n) {
    const PlanNode& node = plan.nodes[n];
    auto& [queued, alone] = ends_[n];
    for (const int producer : node.producers) {
      queued = std::max(queued, ends_[static_cast<size_t>(producer)].first);
      alone = std::max(alone, ends_[static_cast<size_t>(producer)].second);
    }
    if (node.on_device()) {
      const SubgraphState& state = subgraphs_[static_cast<size_t>(node.subgraph->index)];
      const Instant start = StartOf(state, urgency);
      alone += StepTime(arrivals, n, /*company=*/false);
      queued = std::max(queued, start) + StepTime(arrivals, n, /*company=*/start > now_);
    }
    end = std::max(end, queued);
    end_alone = std::max(end_alone, alone);
  }
  if (end <= first.deadline) {
    return std::nullopt;
  }
  if (end_alone > first.deadline) {
    Respond respond = Refused(RefusalReason::kDeadlineTooShort);
    respond.late_by = end_alone - first.deadline;
    return respond;
  }
  Respond respond = Refused(RefusalReason::kDeadlineUnreachable);
  respond.late_by = end - first.deadline;
  respond.refusal.retry_after = std::max<Clock::duration>(kLeastRetry, respond.late_by);
  for (const PlanNode& node : plan.nodes) {
    if (node.on_device()) {
      subgraphs_[static_cast<size_t>(node.subgraph->index)].refused_at = now_;
    }
  }
  return respond;
}

Clock::duration Core::StepTime(std::span<const Arrive> arrivals, size_t node, bool company) const {
  const PlanNode& step = arrivals.front().plan->nodes[node];
  const SubgraphState& state = subgraphs_[static_cast<size_t>(step.subgraph->index)];
  const auto bucket = static_cast<size_t>(arrivals.front().buckets[node]);
  const Bucket& shape = step.subgraph->shape.buckets[bucket];
  // The time of a batch that others share is not certain.
  const int spreads = company ? kSpreads : 0;
  const Queue& queue = state.queues[bucket];
  Clock::duration longest{0};
  Clock::duration total{0};
  for (const Arrive& arrival : arrivals) {
    const int waiting = company ? queue.ready_rows + queue.ahead_rows : 0;
    const int rows = std::min(shape.max_rows(), arrival.rows + waiting);
    const Clock::duration time =
        state.costs.ForRefusal(shape.GearFor(rows).model_gear, now_, spreads);
    longest = std::max(longest, time);
    total += time;
  }
  return std::max(longest, total / static_cast<int64_t>(state.lanes.size()));
}

std::span<Clock::duration> Core::BusyTimes(const SubgraphState& state) const {
  busy_.clear();
  for (const LaneState& lane : state.lanes) {
    if (lane.serves) {
      busy_.push_back(std::max(Clock::duration::zero(), lane.busy_until - now_));
    }
  }
  return busy_;
}

Instant Core::StartOf(const SubgraphState& state, const Urgency& row) const {
  const std::span<Clock::duration> busy = BusyTimes(state);
  return busy.empty() ? now_ : now_ + TimeToDrain(busy, state.backlog.Before(row, now_));
}

const BatchGear& Core::GearOf(const PlanNode& node, int bucket, int rows) const {
  return node.subgraph->shape.buckets[static_cast<size_t>(bucket)].GearFor(rows);
}

void Core::Accept(RequestId id, Request& request) {
  request.accepted = true;
  CountRequest(*request.plan, 1);
  rows_ += request.rows;
  input_bytes_ += request.input_bytes;
  if (request.deadline != Instant::max()) {
    deadlines_.emplace(request.deadline, id);
    SetTails(request);
  }
  if (request.delay_at != Instant::max()) {
    delays_.emplace(request.delay_at, id);
  }
  if (request.plan->preserve_ordering) {
    orders_[request.plan.get()].push_back(id);
  }
  AddToBacklogs(request);
  for (size_t n = 0; n < request.nodes.size(); ++n) {
    AdvanceNode(id, request, static_cast<int>(n));
  }
}

void Core::SetTails(Request& request) {
  for (size_t n = request.nodes.size(); n-- > 0;) {
    for (const int consumer : request.plan->nodes[n].consumers) {
      const auto c = static_cast<size_t>(consumer);
      const PlanNode& node = request.plan->nodes[c];
      Clock::duration time = request.nodes[c].tail;
      if (node.on_device()) {
        const SubgraphState& state = subgraphs_[static_cast<size_t>(node.subgraph->index)];
        time +=
            state.costs.ForRefusal(GearOf(node, request.buckets[c], request.rows).model_gear, now_);
      }
      request.nodes[n].tail = std::max(request.nodes[n].tail, time);
    }
  }
}

Instant Core::InputsAt(const Request& request, int node) const {
  Instant at = now_;
  for (const int producer : request.plan->nodes[static_cast<size_t>(node)].producers) {
    const auto found = batches_.find(request.nodes[static_cast<size_t>(producer)].batch);
    if (found != batches_.end() && !found->second.done) {
      at = std::max(at, found->second.ends_at);
    }
  }
  return at;
}

bool Core::FitDeadlines(SubgraphState& state, int bucket, int lane, BatchDecision& decision) {
  const Queue& queue = state.queues[static_cast<size_t>(bucket)];
  const std::map<QueueKey, Queued>& from = decision.ahead ? queue.ahead : queue.ready;
  Instant start = std::max(now_, state.lanes[static_cast<size_t>(lane)].busy_until);
  const int limit = std::max(decision.rows, from.begin()->second.rows);
  const bool crowded = state.refused_at >= now_ - kCrowded;
  int rows = 0;
  size_t groups = 0;
  int looked_at = 0;
  Instant tightest = Instant::max();
  fit_rows_.clear();
  fit_groups_.clear();
  for (const auto& [key, queued] : from) {
    looked_at += queued.rows;
    if (looked_at > (crowded ? kLookAhead : 1) * limit) {
      break;
    }
    if (decision.ahead) {
      start = std::max(start, InputsAt(requests_.at(key.request), key.node));
    }
    if (looked_at <= limit) {
      rows = looked_at;
      ++groups;
      tightest = std::min(tightest, queued.latest_end);
    }
    fit_rows_.push_back({queued.rows, queued.latest_end});
    fit_groups_.emplace_back(key.request, key.node);
  }
  const Bucket& shape = state.subgraph->shape.buckets[static_cast<size_t>(bucket)];
  const int spreads = crowded ? kSpreads : 0;
  if (start + state.costs.ForRefusal(shape.GearFor(rows).model_gear, now_, spreads) <= tightest) {
    return false;  // As nearly always.
  }
  fit_gears_.clear();
  for (const BatchGear& gear : shape.gears) {
    fit_gears_.push_back({gear.rows, state.costs.ForRefusal(gear.model_gear, now_, spreads)});
  }
  const FitResult fit = FitBatch({.gears = fit_gears_,
                                  .rows = fit_rows_,
                                  .groups = groups,
                                  .start = start,
                                  .crowded = crowded});
  if (fit.late.empty()) {
    decision.rows = 0;
    for (size_t i = 0; i < fit.groups; ++i) {
      decision.rows += fit_rows_[i].rows;
    }
    decision.reason = ReleaseReason::kDeadline;
    return false;
  }
  for (const size_t i : fit.late) {
    const RequestId id = fit_groups_[i].first;
    const auto found = requests_.find(id);
    if (found == requests_.end() || found->second.responded) {
      continue;  // Another step of it was late too.
    }
    const Instant end =
        start + state.costs.ForRefusal(shape.GearFor(fit_rows_[i].rows).model_gear, now_, spreads);
    Drop(id, found->second, std::max(Clock::duration(1), end - fit_rows_[i].latest));
  }
  return true;
}

void Core::Drop(RequestId id, Request& request, Clock::duration late_by) {
  End(id, request, {.request = id, .outcome = Outcome::kDropped, .late_by = late_by});
  RetireIfIdle(id);
}

Clock::duration Core::WorkOf(const SubgraphState& state, int bucket, int rows) {
  // Work that waits is worked off in full batches: the gear with the least time for a row counts.
  Clock::duration least{0};
  for (const BatchGear& gear : state.subgraph->shape.buckets[static_cast<size_t>(bucket)].gears) {
    const Clock::duration row_time = state.costs.Expected(gear.model_gear) / gear.rows;
    if (row_time > Clock::duration::zero() &&
        (least == Clock::duration::zero() || row_time < least)) {
      least = row_time;
    }
  }
  return rows * least;
}

void Core::AddToBacklogs(Request& request) {
  for (size_t n = 0; n < request.nodes.size(); ++n) {
    const PlanNode& node = request.plan->nodes[n];
    if (!node.on_device()) {
      continue;
    }
    SubgraphState& state = subgraphs_[static_cast<size_t>(node.subgraph->index)];
    NodeRecord& record = request.nodes[n];
    record.in_backlog = true;
    record.work = WorkOf(state, request.buckets[n], request.rows);
    record.cell = state.backlog.Add({request.priority, request.due}, record.work, now_);
    Touch(node.subgraph->index);
  }
}

void Core::RemoveFromBacklog(Request& request, int node) {
  NodeRecord& record = request.nodes[static_cast<size_t>(node)];
  if (record.in_backlog) {
    record.in_backlog = false;
    const int subgraph = request.plan->nodes[static_cast<size_t>(node)].subgraph->index;
    subgraphs_[static_cast<size_t>(subgraph)].backlog.Remove(record.cell, record.work);
    Touch(subgraph);
  }
}

void Core::PredictEnd(Batch& batch, SubgraphState& state) {
  LaneState& lane = state.lanes[static_cast<size_t>(batch.lane)];
  Instant start = std::max(now_, lane.busy_until);
  for (const RowGroup& group : batch.rows) {
    start = std::max(start, InputsAt(requests_.at(group.request), group.node));
  }
  batch.ends_at = start + state.costs.Expected(batch.model_gear);
  lane.busy_until = batch.ends_at;
}

void Core::PredictLane(LaneState& lane, const SubgraphState& state) {
  lane.busy_until = now_;
  for (const BatchId id : lane.batches) {
    Batch& batch = batches_.at(id);
    const Instant start = batch.runs_since.value_or(lane.busy_until);
    batch.ends_at = std::max(now_, start + state.costs.Expected(batch.model_gear));
    lane.busy_until = batch.ends_at;
  }
}

Instant Core::FreeAt(int subgraph) const {
  const SubgraphState& state = subgraphs_[static_cast<size_t>(subgraph)];
  const std::span<Clock::duration> busy = BusyTimes(state);
  return busy.empty() ? Instant::max() : now_ + TimeToDrain(busy, state.backlog.total());
}

const CostTable& Core::costs(int subgraph) const {
  return subgraphs_[static_cast<size_t>(subgraph)].costs;
}

}  // namespace omserve::scheduler
