// SPDX-License-Identifier: Apache-2.0
// The core's part in sequences: who joins one, what ends with a request that is lost, and which
// requests make the next batch of a lane. Who may run at all is SequenceTable's.
#include <algorithm>

#include "runtime/base/check.h"
#include "scheduler/core.h"

namespace omserve::scheduler {

SequenceTable::Counts Core::sequence_counts(int subgraph) const {
  const SubgraphState& state = subgraphs_[static_cast<size_t>(subgraph)];
  return state.sequences.has_value() ? state.sequences->counts() : SequenceTable::Counts();
}

SequenceTable* Core::SequencesOf(const Request& request, int node) {
  const Subgraph* subgraph = request.plan->nodes[static_cast<size_t>(node)].subgraph;
  if (subgraph == nullptr || !subgraph->sequence.has_value()) {
    return nullptr;
  }
  return &*subgraphs_[static_cast<size_t>(subgraph->index)].sequences;
}

bool Core::JoinSequences(const Arrive& event) {
  const Request& request = requests_.at(event.request);
  for (size_t n = 0; n < request.nodes.size(); ++n) {
    SequenceTable* sequences = SequencesOf(request, static_cast<int>(n));
    if (sequences == nullptr) {
      continue;
    }
    OMSERVE_CHECK(request.nodes.size() == 1 && event.rows == 1 && !event.sequence.id.empty(),
                  "a request of a sequence is one row of one step and says which sequence");
    TouchNode(request, static_cast<int>(n));  // Also one that is refused is counted.
    return sequences->Arrive(event.request, event.sequence, now_);
  }
  return true;
}

void Core::EndSequencesOf(RequestId id, const Request& request) {
  for (size_t n = 0; n < request.nodes.size(); ++n) {
    if (SequenceTable* sequences = SequencesOf(request, static_cast<int>(n))) {
      TouchNode(request, static_cast<int>(n));
      EndWaiting(sequences->Break(id));
    }
  }
}

void Core::EndWaiting(const std::vector<RequestId>& requests) {
  for (const RequestId id : requests) {
    End(id, requests_.at(id), Outcome::kSequenceEnded);
    RetireIfIdle(id);
  }
}

void Core::ExpireSequences() {
  for (const int subgraph : with_sequences_) {
    SequenceTable& sequences = *subgraphs_[static_cast<size_t>(subgraph)].sequences;
    if (sequences.next_expiry() <= now_) {
      sequences.Expire(now_);
      Touch(subgraph);  // Others may have come into their places.
    }
  }
}

Instant Core::NextSequenceExpiry() const {
  Instant next = Instant::max();
  for (const int subgraph : with_sequences_) {
    const SubgraphState& state = subgraphs_[static_cast<size_t>(subgraph)];
    next = std::min(next, state.sequences->next_expiry());
  }
  return next;
}

bool Core::TryLaunchSequences(SubgraphState& state) {
  for (size_t lane = 0; lane < state.lanes.size(); ++lane) {
    const LaneState& at = state.lanes[lane];
    if (at.serves && at.batches.size() < static_cast<size_t>(options_.batches_per_lane) &&
        at.turn != Turn::kAsked && at.turn != Turn::kUsed &&
        LaunchSequences(state, static_cast<int>(lane))) {
      return true;
    }
  }
  return false;
}

bool Core::LaunchSequences(SubgraphState& state, int lane) {
  const SequenceSpec& spec = *state.subgraph->sequence;
  const std::set<SequenceTable::Ready>& ready = state.sequences->ready(lane);
  if (ready.empty()) {
    return false;
  }
  // The oldest decides the bucket; with one bucket, as nearly always, all can go together.
  const auto bucket_of = [this](const SequenceTable::Ready& of) {
    return requests_.at(of.request).buckets.front();
  };
  const int bucket = bucket_of(*ready.begin());
  const Bucket& shape = state.subgraph->shape.buckets[static_cast<size_t>(bucket)];
  const bool direct = spec.strategy == SequenceSpec::Strategy::kDirect;
  const int most = direct ? spec.slots_per_lane : shape.max_rows();
  Instant tightest = Instant::max();
  chosen_.clear();
  for (auto next = ready.begin(); next != ready.end() && std::ssize(chosen_) < most; ++next) {
    if (bucket_of(*next) == bucket) {
      chosen_.push_back(*next);
      tightest = std::min(tightest, requests_.at(next->request).deadline);
    }
  }
  const int rows = static_cast<int>(chosen_.size());
  const Instant oldest = chosen_.front().since;
  const BatchDecision decision =
      DecideBatch(state.options.policy,
                  {.ready_rows = rows,
                   .oldest_ready = oldest,
                   .preferred_fill = state.options.policy.LargestPreferred(rows),
                   .latest_start = LatestStartFor(state, shape, rows, tightest, oldest),
                   .lane_idle = state.lanes[static_cast<size_t>(lane)].batches.empty(),
                   .hurries = hurries_,
                   .max_rows = most},
                  now_);
  if (decision.rows == 0) {
    wake_ = std::min(wake_, decision.wait_until);
    return false;
  }
  if (!direct) {
    chosen_.resize(static_cast<size_t>(decision.rows));
  }
  if (DropLateSequences(state, lane, shape)) {
    return true;  // Decide anew.
  }
  if (!HasTurn(state, lane)) {
    return true;
  }
  SendSequences(state, {.batch = next_batch_++,
                        .subgraph = state.subgraph->index,
                        .bucket = bucket,
                        .lane = lane,
                        .reason = decision.reason,
                        .oldest_queued = oldest});
  return true;
}

// Rows of sequences are not put off for one another: who would be late in the gear of the batch is
// dropped, and its sequence ends.
bool Core::DropLateSequences(SubgraphState& state, int lane, const Bucket& shape) {
  int rows = static_cast<int>(chosen_.size());
  if (state.subgraph->sequence->strategy == SequenceSpec::Strategy::kDirect) {
    for (const SequenceTable::Ready& next : chosen_) {
      rows = std::max(rows, next.slot + 1);
    }
  }
  const Instant end = std::max(now_, state.lanes[static_cast<size_t>(lane)].busy_until) +
                      state.costs.ForRefusal(shape.GearFor(rows).model_gear, now_);
  bool dropped = false;
  for (const SequenceTable::Ready& next : chosen_) {
    const auto found = requests_.find(next.request);
    if (found != requests_.end() && !found->second.responded && found->second.deadline < end) {
      Drop(next.request, found->second, end - found->second.deadline);
      dropped = true;
    }
  }
  return dropped;
}

void Core::SendSequences(SubgraphState& state, Launch launch) {
  const bool direct = state.subgraph->sequence->strategy == SequenceSpec::Strategy::kDirect;
  if (direct) {
    std::sort(chosen_.begin(), chosen_.end(),
              [](const auto& a, const auto& b) { return a.slot < b.slot; });
  }
  for (const SequenceTable::Ready& next : chosen_) {
    // To itself, each has the row of its slot, and who has nothing to do leaves a gap.
    const int row = direct ? next.slot : launch.row_count;
    launch.rows.push_back({.request = next.request, .row = row, .slot = next.slot});
    launch.row_count = row + 1;
    launch.total_queued += now_ - next.since;
    state.sequences->Launch(next.request);
    const Request& request = requests_.at(next.request);
    CountLevel(state, request.priority, -request.rows);
  }
  Send(state, std::move(launch));
}

}  // namespace omserve::scheduler
