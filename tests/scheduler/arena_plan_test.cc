// SPDX-License-Identifier: Apache-2.0
#include "scheduler/arena_plan.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <numeric>
#include <random>
#include <vector>

#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

size_t Sum(const std::vector<size_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), size_t{0});
}

// No two blocks in use together share a byte, and the arena ends where its last block does.
void CheckSound(const ArenaPlan& plan, const std::vector<size_t>& sizes, const Overlaps& overlaps) {
  size_t end = 0;
  for (size_t a = 0; a < sizes.size(); ++a) {
    end = std::max(end, plan.offsets[a] + sizes[a]);
    for (size_t b = a + 1; b < sizes.size(); ++b) {
      if (overlaps.Get(a, b)) {
        REQUIRE((plan.offsets[a] + sizes[a] <= plan.offsets[b] ||
                 plan.offsets[b] + sizes[b] <= plan.offsets[a]));
      }
    }
  }
  REQUIRE(plan.size_bytes == end);
  REQUIRE(plan.size_bytes <= Sum(sizes));
}

// Blocks in use from one step to another, by random: sound, no larger than without sharing, and on
// the whole within 5 % of the most that is in use at once, below which nothing can be.
TEST_CASE("Blocks with lifetimes share an arena") {
  std::mt19937 random(1);
  double ratios = 0;
  constexpr int kRounds = 500;
  for (int round = 0; round < kRounds; ++round) {
    CAPTURE(round);
    const size_t count = 1 + random() % 40;
    const size_t steps = 2 + random() % 30;
    std::vector<size_t> sizes;
    std::vector<std::pair<size_t, size_t>> lives;  // First and last step.
    for (size_t i = 0; i < count; ++i) {
      sizes.push_back(64 * (1 + random() % (random() % 3 == 0 ? 1000 : 20)));
      const size_t first = random() % steps;
      lives.emplace_back(first, std::min(steps - 1, first + random() % 6));
    }
    Overlaps overlaps(count);
    for (size_t a = 0; a < count; ++a) {
      for (size_t b = a + 1; b < count; ++b) {
        if (lives[a].first <= lives[b].second && lives[b].first <= lives[a].second) {
          overlaps.Set(a, b);
        }
      }
    }
    const ArenaPlan plan = PlanArena(sizes, overlaps);
    CheckSound(plan, sizes, overlaps);
    size_t most = 0;
    for (size_t step = 0; step < steps; ++step) {
      size_t live = 0;
      for (size_t i = 0; i < count; ++i) {
        live += lives[i].first <= step && step <= lives[i].second ? sizes[i] : 0;
      }
      most = std::max(most, live);
    }
    REQUIRE(plan.size_bytes >= most);
    ratios += static_cast<double>(plan.size_bytes) / static_cast<double>(most);
  }
  CHECK(ratios / kRounds < 1.05);
}

// Any overlaps at all, also such as no order of steps could have.
TEST_CASE("Blocks with any overlaps share an arena") {
  std::mt19937 random(2);
  for (int round = 0; round < 300; ++round) {
    CAPTURE(round);
    const size_t count = random() % 25;
    std::vector<size_t> sizes;
    for (size_t i = 0; i < count; ++i) {
      sizes.push_back(64 * (random() % 30));
    }
    Overlaps overlaps(count);
    for (size_t i = 0; i < count * 2; ++i) {
      const size_t a = random() % count;
      const size_t b = random() % count;
      if (a != b) {
        overlaps.Set(a, b);
      }
    }
    CheckSound(PlanArena(sizes, overlaps), sizes, overlaps);
  }
}

// A gap left by a block that is over is used by the largest block that fits it.
TEST_CASE("The tightest gap is used") {
  Overlaps overlaps(4);
  // 0 (300) and 1 (200) and 2 (100) stand side by side; 3 (100) is in use with 0 and 2, not with 1.
  overlaps.Set(0, 1);
  overlaps.Set(1, 2);
  overlaps.Set(0, 2);
  overlaps.Set(0, 3);
  overlaps.Set(2, 3);
  const std::vector<size_t> sizes = {300, 200, 100, 100};
  const ArenaPlan plan = PlanArena(sizes, overlaps);
  CHECK(plan.offsets == std::vector<size_t>{0, 300, 500, 300});
  CHECK(plan.size_bytes == 600);
}

// A chain of six: two neighbours are in use at a time, so two places are enough.
TEST_CASE("A chain's steps use two places in turn") {
  std::vector<Subgraph> subgraphs;
  for (int s = 0; s < 6; ++s) {
    subgraphs.push_back(MakeSubgraph(s, {{1, 2, 4, 8}}));
  }
  std::vector<TestNode> nodes;
  for (int s = 0; s < 6; ++s) {
    nodes.push_back({&subgraphs[static_cast<size_t>(s)],
                     s == 0 ? std::vector<int>{} : std::vector<int>{s - 1}});
  }
  const auto plan = MakePlan(nodes);
  const StepOutputs outputs = OutputsOfSteps(*plan);
  CHECK(Sum(outputs.sizes) == 6 * outputs.sizes.front());
  CHECK(plan->arena_bytes == 2 * outputs.sizes.front());
  CHECK(plan->arena_offsets[2] == plan->arena_offsets[0]);
  CHECK(plan->arena_offsets[1] != plan->arena_offsets[0]);
}

// Steps that do not depend on each other are in use together, in whatever order they run; a host
// step between two device steps orders them and takes no place.
TEST_CASE("Branches stand side by side") {
  const Subgraph left = MakeSubgraph(0, {{1, 4}});
  const Subgraph right = MakeSubgraph(1, {{1, 4}});
  const Subgraph join = MakeSubgraph(2, {{1, 4}});
  const Subgraph last = MakeSubgraph(3, {{1, 4}});
  const auto plan = MakePlan(
      {{nullptr}, {&left, {0}}, {&right, {0}}, {&join, {1, 2}}, {nullptr, {3}}, {&last, {4}}});
  const StepOutputs outputs = OutputsOfSteps(*plan);
  REQUIRE(outputs.nodes == std::vector<int>{1, 2, 3, 5});
  const size_t one = outputs.sizes.front();
  CHECK(plan->arena_bytes == 3 * one);
  CHECK(plan->arena_offsets[1] != plan->arena_offsets[2]);
  // Only the host reads the join, so its place is free when it is done, as those of the branches.
  CHECK_FALSE(outputs.overlaps.Get(0, 3));
  CHECK_FALSE(outputs.overlaps.Get(2, 3));
}

}  // namespace
}  // namespace omserve::scheduler
