// SPDX-License-Identifier: Apache-2.0
#include "scheduler/sequence_table.h"

#include <algorithm>

#include "runtime/base/check.h"

namespace omserve::scheduler {

SequenceTable::SequenceTable(const Options& options) : options_(options) {
  lanes_.resize(static_cast<size_t>(options.lanes));
  for (Lane& lane : lanes_) {
    for (int slot = 0; slot < options.slots_per_lane; ++slot) {
      lane.free_slots.insert(slot);
    }
  }
}

SequenceTable::Ready SequenceTable::ReadyOf(const Sequence& sequence) {
  const Waiting& first = sequence.waiting.front();
  return {.since = first.since,
          .request = first.request,
          .slot = sequence.slot,
          .start = first.start,
          .end = first.end};
}

bool SequenceTable::Arrive(RequestId request, const SequenceTurn& turn, Instant now) {
  const auto open = open_.find(turn.id);
  if (open == open_.end() && !turn.start) {
    ++totals_.not_started;
    return false;
  }
  totals_.started += turn.start ? 1 : 0;
  const Number number = open == open_.end() ? next_number_++ : open->second;
  Sequence& sequence = sequences_[number];
  if (open == open_.end()) {
    sequence.id = turn.id;
    open_.emplace(turn.id, number);
    backlog_.insert(number);
  }
  sequence.waiting.push_back(
      {.request = request, .since = now, .start = turn.start, .end = turn.end});
  requests_.emplace(request, number);
  ++waiting_;
  if (turn.end) {
    // What comes next under this id is another sequence.
    sequence.is_open = false;
    open_.erase(turn.id);
  }
  FillSlots();
  Settle(number, now);
  return true;
}

const std::set<SequenceTable::Ready>& SequenceTable::ready(int lane) const {
  return lanes_[static_cast<size_t>(lane)].ready;
}

void SequenceTable::Launch(RequestId request) {
  Sequence& sequence = sequences_.at(requests_.at(request));
  OMSERVE_CHECK(!sequence.running.has_value() && sequence.lane >= 0 &&
                    sequence.waiting.front().request == request,
                "the requests of a sequence run in order, one at a time");
  lanes_[static_cast<size_t>(sequence.lane)].ready.erase(ReadyOf(sequence));
  sequence.running = sequence.waiting.front();
  sequence.waiting.pop_front();
  --waiting_;
}

void SequenceTable::Finish(RequestId request, Instant now) {
  const auto found = requests_.find(request);
  if (found == requests_.end()) {
    return;
  }
  const Number number = found->second;
  requests_.erase(found);
  Sequence& sequence = sequences_.at(number);
  OMSERVE_CHECK(sequence.running.has_value() && sequence.running->request == request,
                "a request of a sequence is over after it was launched");
  totals_.finished += sequence.running->end && !sequence.is_broken ? 1 : 0;
  sequence.running.reset();
  Settle(number, now);
}

void SequenceTable::Settle(Number number, Instant now) {
  Sequence& sequence = sequences_.at(number);
  if (sequence.idle_until != Instant::max()) {
    idle_.erase({sequence.idle_until, number});
    sequence.idle_until = Instant::max();
  }
  if (sequence.running.has_value() || sequence.lane < 0) {
    return;
  }
  if (!sequence.waiting.empty()) {
    lanes_[static_cast<size_t>(sequence.lane)].ready.insert(ReadyOf(sequence));
  } else if (sequence.is_open) {
    sequence.idle_until = now + options_.max_idle;
    idle_.emplace(sequence.idle_until, number);
  } else {
    Remove(number);
  }
}

void SequenceTable::FillSlots() {
  while (!backlog_.empty()) {
    Lane* best = nullptr;
    for (Lane& lane : lanes_) {
      if (lane.serves && !lane.free_slots.empty() &&
          (best == nullptr || lane.free_slots.size() > best->free_slots.size())) {
        best = &lane;
      }
    }
    if (best == nullptr) {
      return;
    }
    const Number number = *backlog_.begin();
    backlog_.erase(backlog_.begin());
    Sequence& sequence = sequences_.at(number);
    sequence.lane = static_cast<int>(best - lanes_.data());
    sequence.slot = *best->free_slots.begin();
    best->free_slots.erase(best->free_slots.begin());
    best->sequences.insert(number);
    best->ready.insert(ReadyOf(sequence));  // Whoever waits for a slot has a request that waits.
  }
}

void SequenceTable::Remove(Number number) {
  const Sequence& sequence = sequences_.at(number);
  if (sequence.is_open) {
    open_.erase(sequence.id);
  }
  if (sequence.idle_until != Instant::max()) {
    idle_.erase({sequence.idle_until, number});
  }
  if (sequence.lane < 0) {
    backlog_.erase(number);
  } else {
    Lane& lane = lanes_[static_cast<size_t>(sequence.lane)];
    lane.free_slots.insert(sequence.slot);
    lane.sequences.erase(number);
  }
  sequences_.erase(number);
  FillSlots();
}

void SequenceTable::Close(Number number, std::vector<RequestId>* dropped) {
  Sequence& sequence = sequences_.at(number);
  totals_.broken += sequence.is_broken ? 0 : 1;
  sequence.is_broken = true;
  if (sequence.is_open) {
    sequence.is_open = false;
    open_.erase(sequence.id);
  }
  if (sequence.lane >= 0 && !sequence.running.has_value() && !sequence.waiting.empty()) {
    lanes_[static_cast<size_t>(sequence.lane)].ready.erase(ReadyOf(sequence));
  }
  for (const Waiting& waiting : sequence.waiting) {
    requests_.erase(waiting.request);
    dropped->push_back(waiting.request);
  }
  waiting_ -= sequence.waiting.size();
  sequence.waiting.clear();
  if (!sequence.running.has_value()) {
    Remove(number);
  }
}

std::vector<RequestId> SequenceTable::Break(RequestId request) {
  std::vector<RequestId> dropped;
  const auto found = requests_.find(request);
  if (found == requests_.end()) {
    return dropped;
  }
  Close(found->second, &dropped);
  std::erase(dropped, request);
  return dropped;
}

std::vector<RequestId> SequenceTable::LaneDown(int lane) {
  std::vector<RequestId> dropped;
  Lane& state = lanes_[static_cast<size_t>(lane)];
  state.serves = false;
  const std::set<Number> sequences = state.sequences;  // Close takes them out.
  for (const Number number : sequences) {
    Close(number, &dropped);
  }
  return dropped;
}

void SequenceTable::LaneUp(int lane) {
  lanes_[static_cast<size_t>(lane)].serves = true;
  FillSlots();
}

void SequenceTable::EndAll() {
  std::vector<RequestId> dropped;
  for (size_t lane = 0; lane < lanes_.size(); ++lane) {
    LaneDown(static_cast<int>(lane));
  }
  while (!backlog_.empty()) {
    Close(*backlog_.begin(), &dropped);
  }
}

void SequenceTable::Expire(Instant now) {
  while (!idle_.empty() && idle_.begin()->first <= now) {
    ++totals_.expired;
    Remove(idle_.begin()->second);
  }
}

Instant SequenceTable::next_expiry() const {
  return idle_.empty() ? Instant::max() : idle_.begin()->first;
}

SequenceTable::Counts SequenceTable::counts() const {
  Counts counts = totals_;
  counts.active = sequences_.size() - backlog_.size();
  counts.backlog = backlog_.size();
  counts.waiting = waiting_;
  for (const Lane& lane : lanes_) {
    counts.slots += lane.serves ? static_cast<size_t>(options_.slots_per_lane) : 0;
  }
  return counts;
}

}  // namespace omserve::scheduler
