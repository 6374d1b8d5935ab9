// SPDX-License-Identifier: Apache-2.0
// Memory for outputs: no two batches have the same, and nobody waits for it in vain.
#include <fmt/format.h>

#include <algorithm>

#include "tests/sim/core_checker.h"

namespace omserve::scheduler {
int CoreChecker::SetsUsed(int subgraph) const {
  return static_cast<int>(std::count_if(batches_.begin(), batches_.end(), [&](const auto& entry) {
    const Launch& launch = entry.second.launch;
    return launch.subgraph == subgraph && launch.output_set != kArena;
  }));
}

// The owner that has something left to do; else the arena is nobody's.
void CoreChecker::CheckArenaOwner() {
  const auto found = requests_.find(arena_owner_);
  if (found != requests_.end() &&
      std::all_of(found->second.steps.begin(), found->second.steps.end(),
                  [](const Step& step) { return step.state == State::kDone; })) {
    arena_owner_ = 0;
  }
}

void CoreChecker::CheckMemory(const Launch& launch) {
  CheckArenaOwner();
  if (launch.output_set != kArena) {
    Expect(launch.output_set >= 0 && launch.output_set < core_.output_sets(launch.subgraph),
           "a batch has one of its subgraph's output sets");
  } else {
    Expect(launch.reason == ReleaseReason::kMemory && launch.rows.size() == 1,
           "a row group in the arena is alone");
    Expect(arena_owner_ == 0 || arena_owner_ == launch.rows.front().request,
           "the arena is one request's at a time");
    arena_owner_ = launch.rows.front().request;
    Expect(Rests(requests_.at(arena_owner_)), "in the arena a request has one step at a time");
    ++counts_.arena;
  }
  const auto place = [this](const Launch& of) {
    const Arrive& arrival = requests_.at(of.rows.front().request).arrival;
    const auto node = static_cast<size_t>(of.rows.front().node);
    const size_t begin = arrival.plan->arena_offsets[node];
    return std::pair(begin,
                     begin + LayOutOutputs(arrival.plan->nodes[node].subgraph->shape).size_bytes);
  };
  for (const auto& [id, batch] : batches_) {
    if (released_.contains(id)) {
      continue;
    }
    if (launch.output_set != kArena) {
      Expect(
          batch.launch.subgraph != launch.subgraph || batch.launch.output_set != launch.output_set,
          fmt::format("b{} has memory that b{} has", launch.batch, id));
    } else if (batch.launch.output_set == kArena) {
      const auto [begin, end] = place(launch);
      const auto [other_begin, other_end] = place(batch.launch);
      Expect(end <= other_begin || other_end <= begin,
             fmt::format("b{} stands in the arena where b{} is", launch.batch, id));
      ++counts_.arena_together;
    }
  }
}

// In the arena the owner's rows leave, whichever they are; of others the most urgent.
void CoreChecker::CheckArenaOrder(const Launch& launch, Kind kind) {
  const SubgraphRef& ref = subgraphs_[static_cast<size_t>(launch.subgraph)];
  Expect(kind == Kind::kReady, "only ready rows go to the arena");
  Expect(!IsAtWork(ref) && !HoldersGoOn(ref),
         "rows go to the arena only when their subgraph stands still");
  int held = 0;
  for (const auto& [id, batch] : batches_) {
    held += batch.launch.subgraph == launch.subgraph && batch.launch.output_set != kArena &&
                    !released_.contains(id)
                ? 1
                : 0;
  }
  // More than there are, where some were taken away while batches had them.
  Expect(held >= core_.output_sets(launch.subgraph),
         "rows go to the arena only when every output set is taken");
  const std::vector<Waiting> queue = QueueOf(launch.subgraph, launch.bucket, kind);
  const auto found = std::find_if(queue.begin(), queue.end(), [&](const Waiting& waiting) {
    return waiting.request == launch.rows.front().request &&
           waiting.node == launch.rows.front().node;
  });
  Expect(found != queue.end() && launch.oldest_queued == found->since &&
             launch.total_queued == now_ - found->since,
         "a batch tells how long its rows were queued");
}

bool CoreChecker::WaitsForMemory(const SubgraphRef& ref) {
  CheckArenaOwner();
  const int index = ref.subgraph->index;
  if (SetsUsed(index) < core_.output_sets(index)) {
    return false;
  }
  if (IsAtWork(ref) || HoldersGoOn(ref)) {
    return true;  // They will bring a set.
  }
  // It stands still: for its turn, if it shares resources; for rows to be ready, for the arena's
  // owner, who has nothing to launch here, or for a step that runs elsewhere of the request that is
  // to be the next owner.
  if (std::any_of(ref.turns.begin(), ref.turns.end(),
                  [](const Turn& turn) { return turn.asked; })) {
    return true;
  }
  for (size_t b = 0; b < ref.subgraph->shape.buckets.size(); ++b) {
    const std::vector<Waiting> queue = QueueOf(index, static_cast<int>(b), Kind::kReady);
    for (size_t i = 0; i < queue.size(); ++i) {
      const bool is_next = arena_owner_ == 0 ? i == 0 : arena_owner_ == queue[i].request;
      if (is_next && Rests(requests_.at(queue[i].request))) {
        return false;
      }
    }
  }
  return true;
}

bool CoreChecker::IsAtWork(const SubgraphRef& ref) {
  return std::any_of(ref.in_flight.begin(), ref.in_flight.end(), [](int n) { return n > 0; });
}

// Of the requests whose batches have the subgraph's output sets, one has something in flight, or
// rows where there is something in flight or nothing is missing.
bool CoreChecker::HoldersGoOn(const SubgraphRef& ref) {
  const auto goes_on = [this](const Request& request) {
    for (size_t n = 0; n < request.steps.size(); ++n) {
      if (request.steps[n].state == State::kRunning || request.steps[n].state == State::kLooking) {
        return true;
      }
      if (KindOf(request, n) != Kind::kNone) {
        const int index = NodeOf(request.arrival, static_cast<int>(n)).subgraph->index;
        const SubgraphRef& where = subgraphs_[static_cast<size_t>(index)];
        const bool serves =
            std::find(where.serves.begin(), where.serves.end(), true) != where.serves.end();
        if (IsAtWork(where) || (serves && SetsUsed(index) < core_.output_sets(index))) {
          return true;
        }
      }
    }
    return false;
  };
  for (const auto& [id, batch] : batches_) {
    if (batch.launch.subgraph != ref.subgraph->index || batch.launch.output_set == kArena ||
        released_.contains(id)) {
      continue;
    }
    for (const RowGroup& group : batch.launch.rows) {
      const auto found = requests_.find(group.request);
      if (found != requests_.end() && goes_on(found->second)) {
        return true;
      }
    }
  }
  return false;
}

bool CoreChecker::Rests(const Request& request) {
  for (size_t n = 0; n < request.steps.size(); ++n) {
    if (request.steps[n].state == State::kRunning &&
        NodeOf(request.arrival, static_cast<int>(n)).on_device()) {
      return false;
    }
  }
  return true;
}

}  // namespace omserve::scheduler
