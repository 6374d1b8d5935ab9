// SPDX-License-Identifier: Apache-2.0
#include "scheduler/arena_plan.h"

#include <algorithm>
#include <numeric>

#include "runtime/base/check.h"
#include "scheduler/plan.h"

namespace omserve::scheduler {
namespace {

struct Placed {
  size_t begin = 0;
  size_t end = 0;
};

// The start of the tightest gap between `taken` that holds `size`, else the end of the last.
size_t BestFit(std::vector<Placed>& taken, size_t size) {
  std::sort(taken.begin(), taken.end(),
            [](const Placed& a, const Placed& b) { return a.begin < b.begin; });
  size_t end = 0;  // Of all blocks so far.
  size_t best = 0;
  size_t best_gap = 0;
  bool found = false;
  for (const Placed& block : taken) {
    const size_t gap = block.begin - std::min(block.begin, end);
    if (block.begin >= end && gap >= size && (!found || gap < best_gap)) {
      best = end;
      best_gap = gap;
      found = true;
    }
    end = std::max(end, block.end);
  }
  return found ? best : end;
}

// By node: which nodes must be done before it starts.
std::vector<std::vector<bool>> Ancestors(const Plan& plan) {
  std::vector<std::vector<bool>> ancestors(plan.nodes.size());
  for (size_t n = 0; n < plan.nodes.size(); ++n) {  // Producers come before consumers.
    ancestors[n].resize(plan.nodes.size(), false);
    for (const int producer : plan.nodes[n].producers) {
      const std::vector<bool>& before = ancestors[static_cast<size_t>(producer)];
      ancestors[n][static_cast<size_t>(producer)] = true;
      for (size_t i = 0; i < before.size(); ++i) {
        ancestors[n][i] = ancestors[n][i] || before[i];
      }
    }
  }
  return ancestors;
}

}  // namespace

ArenaPlan PlanArena(std::span<const size_t> sizes, const Overlaps& overlaps) {
  OMSERVE_CHECK(overlaps.count() == sizes.size(), "every block says what it overlaps");
  std::vector<size_t> order(sizes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&sizes](size_t a, size_t b) { return sizes[a] > sizes[b]; });
  ArenaPlan plan;
  plan.offsets.resize(sizes.size(), 0);
  std::vector<Placed> taken;
  for (size_t i = 0; i < order.size(); ++i) {
    const size_t block = order[i];
    taken.clear();
    for (size_t earlier = 0; earlier < i; ++earlier) {
      const size_t other = order[earlier];
      if (overlaps.Get(block, other)) {
        taken.push_back({plan.offsets[other], plan.offsets[other] + sizes[other]});
      }
    }
    plan.offsets[block] = BestFit(taken, sizes[block]);
    plan.size_bytes = std::max(plan.size_bytes, plan.offsets[block] + sizes[block]);
  }
  return plan;
}

StepOutputs OutputsOfSteps(const Plan& plan) {
  std::vector<int> nodes;
  std::vector<size_t> sizes;
  for (size_t n = 0; n < plan.nodes.size(); ++n) {
    if (plan.nodes[n].on_device()) {
      nodes.push_back(static_cast<int>(n));
      sizes.push_back(LayOutOutputs(plan.nodes[n].subgraph->shape).size_bytes);
    }
  }
  const std::vector<std::vector<bool>> ancestors = Ancestors(plan);
  // Whether `first` and all device steps that read it are done before `second` starts.
  const auto is_over = [&](int first, int second) {
    const std::vector<bool>& before = ancestors[static_cast<size_t>(second)];
    const std::vector<int>& readers = plan.nodes[static_cast<size_t>(first)].consumers;
    return before[static_cast<size_t>(first)] &&
           std::all_of(readers.begin(), readers.end(), [&](int reader) {
             return before[static_cast<size_t>(reader)] ||
                    !plan.nodes[static_cast<size_t>(reader)].on_device();
           });
  };
  StepOutputs outputs{std::move(nodes), std::move(sizes), Overlaps(0)};
  outputs.overlaps = Overlaps(outputs.nodes.size());
  for (size_t a = 0; a < outputs.nodes.size(); ++a) {
    for (size_t b = a + 1; b < outputs.nodes.size(); ++b) {
      if (!is_over(outputs.nodes[a], outputs.nodes[b]) &&
          !is_over(outputs.nodes[b], outputs.nodes[a])) {
        outputs.overlaps.Set(a, b);
      }
    }
  }
  return outputs;
}

void PlaceInArena(Plan& plan) {
  const StepOutputs outputs = OutputsOfSteps(plan);
  const ArenaPlan arena = PlanArena(outputs.sizes, outputs.overlaps);
  plan.arena_bytes = arena.size_bytes;
  plan.arena_offsets.assign(plan.nodes.size(), 0);
  for (size_t i = 0; i < outputs.nodes.size(); ++i) {
    plan.arena_offsets[static_cast<size_t>(outputs.nodes[i])] = arena.offsets[i];
  }
}

}  // namespace omserve::scheduler
