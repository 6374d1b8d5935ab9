// SPDX-License-Identifier: Apache-2.0
// What must hold between two events: nothing is missing, nothing waits that could go.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/core_checker.h"

namespace omserve::scheduler {

void CoreChecker::After() {
  if (!violation_.empty()) {
    return;
  }
  for (const BatchId id : released_) {
    const Batch& batch = batches_.at(id);
    Expect(batch.done, fmt::format("b{} is released before it is done", id));
    Expect(!HasUses(batch), fmt::format("b{} is released before its readers are done", id));
    batches_.erase(id);
  }
  CheckSequencesAfter();
  CheckRequestsAfter();
  CheckBoundsAfter();
  CheckBatchesAfter();
  CheckRunsAfter();
  CheckTurnsAfter();
  CheckQueuesAfter();
  CheckUnloadsAfter();
}

bool CoreChecker::HasInputs(const Batch& batch) const {
  return std::all_of(
      batch.launch.rows.begin(), batch.launch.rows.end(), [this](const RowGroup& group) {
        const Request& request = requests_.at(group.request);
        const PlanNode& node = request.arrival.plan->nodes[static_cast<size_t>(group.node)];
        return std::all_of(node.producers.begin(), node.producers.end(), [&](int producer) {
          return request.steps[static_cast<size_t>(producer)].state == State::kDone;
        });
      });
}

BatchId CoreChecker::OldestOn(int subgraph, int lane) const {
  for (const auto& [id, batch] : batches_) {
    if (!batch.done && batch.launch.subgraph == subgraph && batch.launch.lane == lane) {
      return id;
    }
  }
  return 0;
}

bool CoreChecker::OnStoppedLane(RequestId id) const {
  return std::any_of(batches_.begin(), batches_.end(), [&](const auto& entry) {
    const Batch& batch = entry.second;
    const SubgraphRef& ref = subgraphs_[static_cast<size_t>(batch.launch.subgraph)];
    return !batch.done && !ref.serves[static_cast<size_t>(batch.launch.lane)] &&
           std::any_of(batch.launch.rows.begin(), batch.launch.rows.end(),
                       [id](const RowGroup& group) { return group.request == id; });
  });
}

// Every batch that runs is watched, and none runs longer than the most that it may.
void CoreChecker::CheckRunsAfter() {
  for (const SubgraphRef& ref : subgraphs_) {
    for (size_t lane = 0; lane < ref.serves.size(); ++lane) {
      const BatchId oldest = OldestOn(ref.subgraph->index, static_cast<int>(lane));
      if (oldest == 0 || !ref.serves[lane]) {
        continue;
      }
      Batch& batch = batches_.at(oldest);
      if (batch.runs_since == Instant::max() && HasInputs(batch)) {
        batch.runs_since = now_;
      }
      if (batch.runs_since != Instant::max() && options_.run_budget.watches()) {
        const Instant latest = batch.runs_since + 2 * options_.run_budget.ceiling;
        Expect(now_ < latest, fmt::format("b{} runs too long and its lane goes on", oldest));
        Expect(armed_ <= latest, fmt::format("b{} runs unwatched", oldest));
      }
    }
  }
}

void CoreChecker::CheckRequestsAfter() {
  Expect(core_.request_count() == requests_.size(), "the core counts its requests");
  for (const auto& [id, request] : requests_) {
    const std::string name = fmt::format("r{}", id);
    if (request.answered) {
      Expect(request.running > 0, name + " is retired as soon as nothing runs for it");
      continue;
    }
    Expect(request.arrival.deadline > now_, name + " is answered at its deadline");
    Expect(armed_ <= request.arrival.deadline, name + " has a timer for its deadline");
    Expect(request.delayed || armed_ <= request.arrival.delay_at,
           name + " has a timer for its queue's timeout");
    Expect(!request.failed, name + " is answered when a step failed");
    const bool finished = std::all_of(request.steps.begin(), request.steps.end(),
                                      [](const Step& step) { return step.state == State::kDone; });
    counts_.kept_in_order += finished ? 1 : 0;
    Expect(!device_lost_, name + " is answered when the device is lost");
    Expect(!OnStoppedLane(id), name + " is answered when its lane is abandoned");
    Expect(cancelling_ != id, name + " is answered when it is cancelled");
    Expect(!arriving_.contains(id) || (!draining_ && !arrival_full_ && !arrival_full_of_bytes_ &&
                                       !IsUnloading(*request.arrival.plan)),
           name + " is refused");
    Expect(!finished || WaitsForEarlier(request), name + " is answered when every step is done");
    for (size_t n = 0; n < request.steps.size(); ++n) {
      const PlanNode& node = request.arrival.plan->nodes[n];
      const bool could_start =
          !node.on_device() && request.steps[n].state == State::kWaiting &&
          std::all_of(node.producers.begin(), node.producers.end(), [&r = request](int producer) {
            return r.steps[static_cast<size_t>(producer)].state == State::kDone;
          });
      const bool could_look =
          node.is_cached && !request.steps[n].looked_up &&
          request.steps[n].state == State::kWaiting &&
          std::all_of(node.producers.begin(), node.producers.end(), [&r = request](int producer) {
            return r.steps[static_cast<size_t>(producer)].state == State::kDone;
          });
      Expect(!could_look, fmt::format("{}.{}, a cached step, is looked up when it can", name, n));
      Expect(!could_start, fmt::format("{}.{}, a host step, starts when it can", name, n));
    }
  }
}

void CoreChecker::CheckBoundsAfter() {
  int rows = 0;
  size_t bytes = 0;
  for (const auto& [id, request] : requests_) {
    rows += request.arrival.rows;
    bytes += request.arrival.input_bytes;
  }
  Expect(core_.row_count() == rows && core_.input_bytes() == bytes,
         "the core counts its rows and bytes");
  // What comes alone is let in whatever its size.
  const bool alone = std::all_of(requests_.begin(), requests_.end(), [this](const auto& entry) {
    return entry.second.together == requests_.begin()->second.together;
  });
  Expect(rows <= options_.max_rows || alone, "the bound on rows is kept");
  Expect(options_.max_input_bytes == 0 || bytes <= options_.max_input_bytes || alone,
         "the bound on input bytes is kept");
}

void CoreChecker::CheckBatchesAfter() {
  Expect(core_.batch_count() == batches_.size(), "the core counts its batches");
  for (const auto& [id, batch] : batches_) {
    Expect(!batch.done || HasUses(batch),
           fmt::format("b{} is released as soon as nobody reads it", id));
  }
}

void CoreChecker::CheckQueuesAfter() {
  for (const SubgraphRef& ref : subgraphs_) {
    Expect(core_.output_sets_used(ref.subgraph->index) == SetsUsed(ref.subgraph->index),
           "the core counts its output sets");
    Expect(core_.queued_rows(ref.subgraph->index) ==
               QueuedRows(ref.subgraph->index, /*without_expired=*/false),
           "the core counts its queued rows");
    if (ref.subgraph->sequence.has_value()) {
      continue;
    }
    for (size_t bucket = 0; bucket < ref.subgraph->shape.buckets.size(); ++bucket) {
      CheckBucketAfter(ref, static_cast<int>(bucket));
    }
  }
}

// Nothing waits that could leave, and nothing waits for ever.
void CoreChecker::CheckBucketAfter(const SubgraphRef& ref, int bucket) {
  const std::vector<Waiting> ready = QueueOf(ref.subgraph->index, bucket, Kind::kReady);
  const std::vector<Waiting> ahead = QueueOf(ref.subgraph->index, bucket, Kind::kAhead);
  const std::vector<Waiting>& queue = ready.empty() ? ahead : ready;
  const auto waited = company_.extract({ref.subgraph->index, bucket});
  if (queue.empty()) {
    return;
  }
  const std::string name = fmt::format("s{}.{}", ref.subgraph->index, bucket);
  int least = -1;  // Batches on the idlest lane.
  for (size_t lane = 0; lane < ref.serves.size(); ++lane) {
    const int load = LoadOf(ref, lane, ready.empty() ? Kind::kAhead : Kind::kReady);
    least = load >= 0 && (least < 0 || load < least) ? load : least;
  }
  if (least < 0) {
    return;  // They wait for a lane to come back, or for its turn.
  }
  if (WaitsForMemory(ref)) {
    return;
  }
  if (WaitsApart(ref)) {
    ++counts_.waits_apart;
    return;
  }
  if (!ready.empty() && IsFilled(ref, bucket, ready)) {
    Expect(least >= options_.batches_per_lane, name + " is full and a lane has room");
  }
  if (least > 0) {
    return;  // The batch at work will bring the next turn.
  }
  const Clock::duration delay = ref.options.policy.max_delay;
  Instant oldest = Instant::max();
  for (const Waiting& waiting : queue) {
    oldest = std::min(oldest, waiting.since);
  }
  const bool delays = delay > Clock::duration::zero();
  const bool siblings = !ready.empty() && WaitsForSiblings(ready);
  Expect((delays || siblings || (ref.options.policy.derives_delay && !ready.empty())) &&
             !hurries_ && !IsFilled(ref, bucket, queue),
         name + " waits before an idle lane without a reason");
  if (delays || siblings) {
    // How long a sibling is waited for depends on costs.
    Expect(armed_ <= (delays ? oldest + delay : Instant::max() - Clock::duration(1)),
           name + " waits without a timer");
    counts_.waits_for_siblings += delays ? 0 : 1;
    return;
  }
  counts_.company_waits += waited.empty() ? 1 : 0;
  CheckCompany(ref, bucket, queue, waited.empty() ? now_ : waited.mapped());
}

// Company is waited for no longer than a batch takes, and not past a deadline.
void CoreChecker::CheckCompany(const SubgraphRef& ref, int bucket,
                               const std::vector<Waiting>& queue, Instant from) {
  company_[{ref.subgraph->index, bucket}] = from;
  const std::string name = fmt::format("s{}.{}", ref.subgraph->index, bucket);
  const Bucket& shape = ref.subgraph->shape.buckets[static_cast<size_t>(bucket)];
  const Clock::duration cost = ref.costs.Expected(shape.GearFor(SumOf(queue)).model_gear);
  Expect(cost > Clock::duration::zero(), name + " waits for company, of a cost that is not known");
  Expect(armed_ <= from + cost, name + " waits for company longer than a batch takes");
  for (const Waiting& waiting : queue) {
    Expect(waiting.deadline == Instant::max() || armed_ + cost <= waiting.deadline,
           name + " waits for company until it is too late");
  }
}

bool CoreChecker::WaitsForSiblings(const std::vector<Waiting>& queue) const {
  return std::all_of(queue.begin(), queue.end(), [this](const Waiting& waiting) {
    const Request& request = requests_.at(waiting.request);
    const std::vector<PlanNode>& nodes = request.arrival.plan->nodes;
    const std::vector<int>& consumers = nodes[static_cast<size_t>(waiting.node)].consumers;
    return std::any_of(consumers.begin(), consumers.end(), [&](int consumer) {
      const std::vector<int>& siblings = nodes[static_cast<size_t>(consumer)].producers;
      return std::any_of(siblings.begin(), siblings.end(), [&](int sibling) {
        return sibling != waiting.node && nodes[static_cast<size_t>(sibling)].on_device() &&
               request.steps[static_cast<size_t>(sibling)].state < State::kRunning;
      });
    });
  });
}

void CoreChecker::CheckEmpty() {
  Expect(requests_.empty(), "every request is retired at the end");
  Expect(batches_.empty(), "every batch is released at the end");
  Expect(sequences_.empty(), "every sequence ends in the end");
  Expect(core_.idle(), "the core is idle at the end");
  CheckUnloadsAfter();
  Expect(arena_owner_ == 0, "the arena is nobody's at the end");
  Expect(armed_ == Instant::max(), "no timer is armed at the end");
}

}  // namespace omserve::scheduler
