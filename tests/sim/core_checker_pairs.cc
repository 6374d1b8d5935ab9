// SPDX-License-Identifier: Apache-2.0
// CoreChecker's view of subgraphs that are kept apart. Which these are the core says itself: what
// is measured is pair_table_test.cc's, and here that nothing runs beside what it is kept apart
// from, and nothing waits for it without need.
#include <algorithm>

#include "tests/sim/core_checker.h"

namespace omserve::scheduler {

bool CoreChecker::IsAtWorkInService(const SubgraphRef& ref) {
  for (size_t lane = 0; lane < ref.in_flight.size(); ++lane) {
    if (ref.serves[lane] && ref.in_flight[lane] > 0) {
      return true;
    }
  }
  return false;
}

void CoreChecker::CheckApart(const Launch& launch) {
  if (launch.reason == ReleaseReason::kMemory) {
    return;
  }
  for (const SubgraphRef& other : subgraphs_) {
    Expect(!core_.apart(launch.subgraph, other.subgraph->index) || !IsAtWorkInService(other),
           "nothing is launched beside what it is kept apart from");
  }
}

std::vector<CoreChecker::Waiting> CoreChecker::FrontsOf(const SubgraphRef& ref) {
  std::vector<Waiting> fronts;
  for (size_t b = 0; b < ref.subgraph->shape.buckets.size(); ++b) {
    for (const Kind kind : {Kind::kReady, Kind::kAhead}) {
      const std::vector<Waiting> queue = QueueOf(ref.subgraph->index, static_cast<int>(b), kind);
      fronts.insert(fronts.end(), queue.begin(), queue.begin() + (queue.empty() ? 0 : 1));
    }
  }
  std::sort(fronts.begin(), fronts.end());
  return fronts;
}

// All of a subgraph waits where those rows do whose turn it is, and these are not always the most
// urgent: rows with their inputs go before rows launched ahead.
bool CoreChecker::WaitsApart(const SubgraphRef& ref) {
  const std::vector<Waiting> own = FrontsOf(ref);
  return std::any_of(subgraphs_.begin(), subgraphs_.end(), [&](const SubgraphRef& other) {
    if (!core_.apart(ref.subgraph->index, other.subgraph->index)) {
      return false;
    }
    const std::vector<Waiting> fronts = FrontsOf(other);
    return IsAtWorkInService(other) ||
           (!own.empty() && !fronts.empty() && fronts.front() < own.back());
  });
}

void CoreChecker::CheckCommand(const PairVerdict& verdict) {
  Expect(verdict.a < verdict.b, "a pair is told once");
  ++(verdict.apart ? counts_.pairs_apart : counts_.pairs_together);
}

}  // namespace omserve::scheduler
