// SPDX-License-Identifier: Apache-2.0
// CoreChecker's view of one launch: its rows, their order, its bucket, and why it left.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "tests/scheduler/core_harness.h"
#include "tests/sim/core_checker.h"

namespace omserve::scheduler {

void CoreChecker::CheckCommand(const Launch& launch) {
  Expect(launch.batch > last_batch_, "batch ids ascend");
  last_batch_ = launch.batch;
  SubgraphRef& ref = subgraphs_.at(static_cast<size_t>(launch.subgraph));
  const Bucket& bucket = ref.subgraph->shape.buckets.at(static_cast<size_t>(launch.bucket));
  int& in_flight = ref.in_flight.at(static_cast<size_t>(launch.lane));
  Expect(in_flight < options_.batches_per_lane, "a lane holds no more batches than its limit");
  Expect(ref.serves.at(static_cast<size_t>(launch.lane)) && !device_lost_,
         "nothing is launched on a lane that is out of service");
  Expect(!launch.rows.empty(), "a batch holds rows");
  CheckTurn(launch);
  if (std::any_of(launch.rows.begin(), launch.rows.end(),
                  [this](const RowGroup& group) { return arriving_.contains(group.request); })) {
    JoinSequence();
  }
  int rows = 0;
  bool ahead = false;
  std::set<RequestId> requests;
  std::set<int> nodes;
  for (const RowGroup& group : launch.rows) {
    CheckGroup(launch, group);
    if (!violation_.empty()) {
      return;
    }
    Expect(group.row == rows || ref.subgraph->sequence.has_value(), "rows leave no gap");
    rows = group.row + group.rows;
    counts_.launches_delayed += requests_.at(group.request).delayed ? 1 : 0;
    ahead = KindOf(requests_.at(group.request), static_cast<size_t>(group.node)) == Kind::kAhead;
    requests.insert(group.request);
    nodes.insert(group.node);
  }
  Expect(rows == launch.row_count, "a batch's rows add up");
  Expect(rows <= bucket.max_rows() && launch.gear.rows == bucket.GearFor(rows).rows &&
             launch.gear.model_gear == bucket.GearFor(rows).model_gear,
         "a batch has the smallest gear that holds its rows");
  Expect(!ahead || (in_flight == 0 && !launch.limited),
         "rows are launched ahead to an idle lane that shares nothing only");
  CheckApart(launch);
  CheckMemory(launch);
  if (ref.subgraph->sequence.has_value()) {
    CheckSequenceLaunch(launch);
  } else if (launch.reason == ReleaseReason::kMemory) {
    CheckArenaOrder(launch, ahead ? Kind::kAhead : Kind::kReady);
  } else {
    CheckOrder(launch, ahead ? Kind::kAhead : Kind::kReady);
  }
  ++counts_.launches;
  counts_.launches_ahead += ahead ? 1 : 0;
  counts_.launches_behind += in_flight > 0 ? 1 : 0;
  counts_.shared += requests.size() > 1 ? 1 : 0;
  counts_.two_steps += nodes.size() > 1 ? 1 : 0;
  ++counts_.reasons.at(static_cast<size_t>(launch.reason));
  ++in_flight;
  for (const RowGroup& group : launch.rows) {
    Request& request = requests_.at(group.request);
    request.steps[static_cast<size_t>(group.node)].state = State::kRunning;
    request.steps[static_cast<size_t>(group.node)].batch = launch.batch;
    ++request.running;
  }
  batches_[launch.batch] = {.launch = launch};
}

void CoreChecker::CheckGroup(const Launch& launch, const RowGroup& group) {
  const std::string name = fmt::format("row group r{}.{}", group.request, group.node);
  const auto found = requests_.find(group.request);
  if (found == requests_.end()) {
    Expect(false, name + " is launched, but its request is not there");
    return;
  }
  const Request& request = found->second;
  const PlanNode& node = NodeOf(request.arrival, group.node);
  Expect(!request.answered, name + " is launched after its answer");
  Expect(request.arrival.deadline > now_, name + " is launched at or after its deadline");
  if (request.arrival.deadline != Instant::max()) {
    const Clock::duration cost = subgraphs_[static_cast<size_t>(launch.subgraph)].costs.ForRefusal(
        launch.gear.model_gear, now_);
    Expect(now_ + cost + request.tails[static_cast<size_t>(group.node)] <= request.arrival.deadline,
           name + " is launched though it cannot be in time by what is predicted");
  }
  Expect(group.rows == request.arrival.rows, name + " has other rows than its request");
  // The very subgraph that its plan names, not a later one in the same place.
  const SubgraphRef& ref = subgraphs_[static_cast<size_t>(launch.subgraph)];
  Expect(node.subgraph == ref.subgraph, name + " is launched on another subgraph");
  Expect(!ref.gone, name + " is launched on a subgraph that has gone");
  Expect(request.arrival.buckets[static_cast<size_t>(group.node)] == launch.bucket,
         name + " is launched in another bucket");
  Expect(KindOf(request, static_cast<size_t>(group.node)) != Kind::kNone,
         name + " is launched twice or before its producers");
  for (const int producer : node.producers) {
    const BatchId batch = request.steps[static_cast<size_t>(producer)].batch;
    Expect(batch == 0 || (batches_.contains(batch) && !released_.contains(batch)),
           name + " reads a batch that was released");
  }
}

void CoreChecker::CheckOrder(const Launch& launch, Kind kind) {
  const std::vector<Waiting> queue = QueueOf(launch.subgraph, launch.bucket, kind);
  Expect(queue.size() >= launch.rows.size(), "a batch is all ready or all ahead");
  Instant oldest = Instant::max();
  Clock::duration total{0};
  for (size_t i = 0; i < launch.rows.size() && i < queue.size(); ++i) {
    Expect(queue[i].request == launch.rows[i].request && queue[i].node == launch.rows[i].node,
           "row groups leave in order, none passed over");
    oldest = std::min(oldest, queue[i].since);
    total += now_ - queue[i].since;
  }
  Expect(launch.oldest_queued == oldest, "a batch tells when its oldest row was queued");
  Expect(launch.total_queued == total, "a batch tells how long its rows were queued");
  if (kind == Kind::kAhead) {
    Expect(QueueOf(launch.subgraph, launch.bucket, Kind::kReady).empty(),
           "ready rows go before rows launched ahead");
  }
  const SubgraphRef& ref = subgraphs_[static_cast<size_t>(launch.subgraph)];
  const int most = ref.subgraph->shape.buckets[static_cast<size_t>(launch.bucket)].max_rows();
  // A batch is made smaller where its most urgent row would be late in a larger one.
  if (launch.rows.size() < queue.size() && launch.reason != ReleaseReason::kFull &&
      launch.reason != ReleaseReason::kDeadline) {
    Expect(launch.row_count + queue[launch.rows.size()].rows > most,
           "a batch takes every row group that fits");
  }
  CheckReason(launch, kind, queue);
  CheckBuckets(launch, kind, queue);
}

// No bucket is passed over that need not wait and is more urgent, or ready where this one is not.
void CoreChecker::CheckBuckets(const Launch& launch, Kind kind, const std::vector<Waiting>& queue) {
  const SubgraphRef& ref = subgraphs_[static_cast<size_t>(launch.subgraph)];
  const bool waits = ref.options.policy.max_delay > Clock::duration::zero() && !hurries_;
  for (size_t b = 0; b < ref.subgraph->shape.buckets.size(); ++b) {
    const int bucket = static_cast<int>(b);
    const std::vector<Waiting> other = QueueOf(launch.subgraph, bucket, Kind::kReady);
    const bool before = !other.empty() && (kind == Kind::kAhead || other.front() < queue.front()) &&
                        (!waits || IsFilled(ref, bucket, other));
    Expect(bucket == launch.bucket || !before, "a more urgent bucket is not passed over");
  }
}

void CoreChecker::CheckReason(const Launch& launch, Kind kind, const std::vector<Waiting>& queue) {
  const SubgraphRef& ref = subgraphs_[static_cast<size_t>(launch.subgraph)];
  const bool waits = ref.options.policy.max_delay > Clock::duration::zero();
  const bool full = IsFilled(ref, launch.bucket, queue);
  const bool lane_idle = ref.in_flight[static_cast<size_t>(launch.lane)] == 0;
  CheckTurnReason(launch, full);
  switch (launch.reason) {
    case ReleaseReason::kFull:
      Expect(full, "a full batch was filled");
      CheckFullSize(launch, queue);
      break;
    case ReleaseReason::kIdle:
      Expect(!waits && !hurries_ && lane_idle, "a batch that need not wait leaves as idle");
      break;
    case ReleaseReason::kBucket:
      Expect(!waits && !hurries_, "a batch that is about to be overtaken leaves");
      break;
    case ReleaseReason::kDelay:
      Expect(waits ? launch.oldest_queued + ref.options.policy.max_delay <= now_
                   : ref.options.policy.derives_delay && lane_idle,
             "the delay of the oldest row has passed");
      break;
    case ReleaseReason::kDeadline:
      Expect(std::any_of(queue.begin(), queue.end(),
                         [](const Waiting& w) { return w.deadline != Instant::max(); }),
             "a batch that leaves for a deadline holds one");
      break;
    case ReleaseReason::kDrain:
      Expect(hurries_, "the core hurries");
      break;
    case ReleaseReason::kMemory:
      Expect(false, "a batch that leaves for want of memory is alone");
      break;
    case ReleaseReason::kTurn:
      Expect(!waits || hurries_ || launch.oldest_queued + ref.options.policy.max_delay <= now_ ||
                 std::any_of(queue.begin(), queue.end(),
                             [](const Waiting& w) { return w.deadline != Instant::max(); }),
             "a turn alone does not end a wait for company");
      break;
  }
  const bool made_smaller = launch.reason == ReleaseReason::kDeadline && (full || !waits);
  if (launch.reason != ReleaseReason::kFull && !made_smaller) {
    Expect(!full, "a filled batch leaves as full");
    if (!lane_idle) {
      // Behind a running batch only when another bucket would have gone.
      bool other_full = false;
      for (size_t b = 0; b < ref.subgraph->shape.buckets.size(); ++b) {
        const int bucket = static_cast<int>(b);
        other_full =
            other_full || (bucket != launch.bucket &&
                           IsFilled(ref, bucket, QueueOf(launch.subgraph, bucket, Kind::kReady)));
      }
      Expect(other_full && kind == Kind::kReady, "behind a running batch only a full one leaves");
      ++counts_.launches_overtaken;
    }
  }
}

// A batch that left because it was full has a preferred size, or no request more fits into it;
// below the gear only where the rows can make no preferred size.
void CoreChecker::CheckFullSize(const Launch& launch, const std::vector<Waiting>& queue) {
  const SubgraphRef& ref = subgraphs_[static_cast<size_t>(launch.subgraph)];
  const std::vector<int>& preferred = ref.options.policy.preferred_rows;
  if (std::find(preferred.begin(), preferred.end(), launch.row_count) != preferred.end()) {
    return;
  }
  const int most = ref.subgraph->shape.buckets[static_cast<size_t>(launch.bucket)].max_rows();
  const int wanted = SumOf(queue) >= most || preferred.empty() ? most : preferred.back();
  const int limit = std::max(wanted, queue.front().rows);
  Expect(launch.row_count == limit || (launch.rows.size() < queue.size() &&
                                       launch.row_count + queue[launch.rows.size()].rows > limit),
         "a full batch takes every row group that fits");
}

}  // namespace omserve::scheduler
