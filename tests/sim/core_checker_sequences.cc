// SPDX-License-Identifier: Apache-2.0
// The checker's own account of sequences, kept from events and commands alone.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/core_checker.h"

namespace omserve::scheduler {

const Subgraph* CoreChecker::SequenceSubgraph(const Arrive& arrival) {
  const Subgraph* subgraph = arrival.plan->nodes.front().subgraph;
  return subgraph != nullptr && subgraph->sequence.has_value() ? subgraph : nullptr;
}

bool CoreChecker::IsOver(const Request& request) const {
  if (request.arrival.deadline <= now_) {
    return true;
  }
  // It waits in the sequence of a request that is.
  return request.sequence != 0 && request.running == 0 &&
         std::any_of(requests_.begin(), requests_.end(), [&](const auto& entry) {
           const Request& other = entry.second;
           return other.sequence == request.sequence && !other.answered &&
                  other.arrival.deadline <= now_;
         });
}

void CoreChecker::IdleOut() {
  std::erase_if(sequences_, [this](const auto& entry) {
    const bool over = entry.second.idle_until <= now_;
    counts_.sequences_idle += over ? 1 : 0;
    return over;
  });
}

void CoreChecker::JoinSequence() {
  const auto found = requests_.find(Newcomer());
  if (joined_ || found == requests_.end()) {
    return;
  }
  Request& request = found->second;
  const Subgraph* subgraph = SequenceSubgraph(request.arrival);
  if (subgraph == nullptr) {
    return;
  }
  joined_ = true;
  const SequenceTurn& turn = request.arrival.sequence;
  auto open = std::find_if(sequences_.begin(), sequences_.end(), [&](const auto& entry) {
    return entry.second.open && entry.second.subgraph == subgraph && entry.second.id == turn.id;
  });
  if (open == sequences_.end()) {
    Expect(turn.start, fmt::format("r{} does not start a sequence and is accepted", Newcomer()));
    ++counts_.sequences;
    open =
        sequences_.emplace(++last_sequence_, Sequence{.subgraph = subgraph, .id = turn.id}).first;
  }
  Sequence& sequence = open->second;
  sequence.left.push_back(Newcomer());
  sequence.idle_until = Instant::max();
  sequence.open = !turn.end;
  request.sequence = open->first;
}

void CoreChecker::BreakSequence(Sequence& sequence) {
  counts_.sequences_broken += sequence.broken ? 0 : 1;
  sequence.open = false;
  sequence.broken = true;
  sequence.idle_until = Instant::max();
}

void CoreChecker::LeaveSequence(RequestId id, bool ran) {
  Sequence& sequence = sequences_.at(requests_.at(id).sequence);
  std::erase(sequence.left, id);
  if (ran) {
    sequence.running = 0;
  }
  if (sequence.left.empty() && sequence.open) {
    sequence.idle_until = now_ + sequence.subgraph->sequence->max_idle;
  }
}

void CoreChecker::CheckSequenceLaunch(const Launch& launch) {
  const Subgraph& subgraph = *subgraphs_[static_cast<size_t>(launch.subgraph)].subgraph;
  const SequenceSpec& spec = *subgraph.sequence;
  Instant oldest = Instant::max();
  Clock::duration total{0};
  Instant previous = Instant::min();
  for (const RowGroup& group : launch.rows) {
    const Request& request = requests_.at(group.request);
    const std::string name = fmt::format("r{}", group.request);
    if (!sequences_.contains(request.sequence)) {
      Expect(false, name + " runs in no sequence");
      return;
    }
    Sequence& sequence = sequences_.at(request.sequence);
    Expect(sequence.running == 0, name + " runs beside another request of its sequence");
    Expect(!sequence.broken, name + " runs in a sequence that has ended");
    Expect(sequence.left.front() == group.request, name + " runs before an earlier one");
    Expect(group.slot >= 0 && group.slot < spec.slots_per_lane, name + " has a slot");
    Expect(sequence.lane < 0 || (sequence.lane == launch.lane && sequence.slot == group.slot),
           name + " runs in another slot than the one before it");
    for (const auto& [number, other] : sequences_) {
      Expect(number == request.sequence || other.subgraph != &subgraph ||
                 other.lane != launch.lane || other.slot != group.slot || other.left.empty(),
             name + " runs in a slot that is another sequence's");
    }
    sequence.lane = launch.lane;
    sequence.slot = group.slot;
    sequence.running = group.request;
    if (spec.strategy == SequenceSpec::Strategy::kDirect) {
      Expect(group.row == group.slot, name + " stands in the row of its slot");
    } else {
      Expect(group.row == &group - launch.rows.data(), "rows leave no gap");
      Expect(previous <= request.arrived, "the oldest go first");
      previous = request.arrived;
    }
    oldest = std::min(oldest, request.arrived);
    total += now_ - request.arrived;
  }
  Expect(launch.oldest_queued == oldest, "a batch tells when its oldest row was queued");
  Expect(launch.total_queued == total, "a batch tells how long its rows were queued");
  CheckSequenceReason(launch);
  ++counts_.sequence_launches;
  counts_.sequence_gaps += std::ssize(launch.rows) < launch.row_count ? 1 : 0;
  counts_.sequences_shared += launch.rows.size() > 1 ? 1 : 0;
}

void CoreChecker::CheckSequenceReason(const Launch& launch) {
  const SubgraphRef& ref = subgraphs_[static_cast<size_t>(launch.subgraph)];
  const BatchPolicyOptions& policy = ref.options.policy;
  const bool waits = policy.max_delay > Clock::duration::zero();
  const auto rows = static_cast<int>(launch.rows.size());
  CheckTurnReason(launch, launch.reason == ReleaseReason::kFull);
  switch (launch.reason) {
    case ReleaseReason::kFull: {
      const bool direct = ref.subgraph->sequence->strategy == SequenceSpec::Strategy::kDirect;
      const Bucket& bucket = ref.subgraph->shape.buckets[static_cast<size_t>(launch.bucket)];
      const int most = direct ? ref.subgraph->sequence->slots_per_lane : bucket.max_rows();
      Expect(
          rows == most || (!policy.preferred_rows.empty() && rows >= policy.preferred_rows.front()),
          "a full batch was filled");
      break;
    }
    case ReleaseReason::kDelay:
      Expect(waits && launch.oldest_queued + policy.max_delay <= now_,
             "the delay of the oldest row has passed");
      break;
    case ReleaseReason::kDrain:
      Expect(hurries_, "the core hurries");
      break;
    case ReleaseReason::kTurn:
      break;
    default:
      Expect(!hurries_, "while the core hurries, what is not full leaves for that reason");
  }
}

void CoreChecker::CheckSequencesAfter() {
  if (!requests_.empty() && !joined_ && requests_.contains(Newcomer()) &&
      !requests_.at(Newcomer()).answered) {
    JoinSequence();
  }
  std::erase_if(sequences_,
                [](const auto& entry) { return !entry.second.open && entry.second.left.empty(); });
  for (const auto& [number, sequence] : sequences_) {
    for (const RequestId id : sequence.left) {
      // What runs came before what was lost, and is computed rightly.
      Expect(!sequence.broken || id == sequence.running || requests_.at(id).answered,
             fmt::format("r{} is answered when its sequence ends", id));
    }
    Expect(armed_ <= sequence.idle_until, "a sequence with nothing to do has a timer");
    if (sequence.left.empty() || sequence.running != 0 || sequence.lane < 0) {
      continue;
    }
    // It has a slot and a request, and nothing of it runs.
    const SubgraphRef& ref = subgraphs_[static_cast<size_t>(sequence.subgraph->index)];
    const auto lane = static_cast<size_t>(sequence.lane);
    if (LoadOf(ref, lane, Kind::kReady) == 0) {
      const Clock::duration delay = ref.options.policy.max_delay;
      const Instant since = requests_.at(sequence.left.front()).arrived;
      Expect(delay > Clock::duration::zero() && !hurries_,
             "a sequence waits before an idle lane without a reason");
      Expect(armed_ <= since + delay, "a sequence waits without a timer");
    }
  }
  for (const SubgraphRef& ref : subgraphs_) {
    const SequenceTable::Counts counts = core_.sequence_counts(ref.subgraph->index);
    Expect(counts.backlog == 0 || counts.active >= counts.slots,
           "no sequence waits for a slot while one is free");
  }
}

}  // namespace omserve::scheduler
