// SPDX-License-Identifier: Apache-2.0
// Places in one arena of memory for blocks of which some are never in use at the same time.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace omserve::scheduler {

struct Plan;

struct ArenaPlan {
  std::vector<size_t> offsets;  // By block.
  size_t size_bytes = 0;        // Of the arena: the largest end of a block.
};

// Which blocks are in use together, at least in part. Symmetric.
class Overlaps final {
 public:
  explicit Overlaps(size_t count) : count_(count), bits_(count * count, false) {}
  void Set(size_t a, size_t b) {
    bits_[a * count_ + b] = true;
    bits_[b * count_ + a] = true;
  }
  bool Get(size_t a, size_t b) const { return bits_[a * count_ + b]; }
  size_t count() const { return count_; }

 private:
  size_t count_;
  std::vector<bool> bits_;
};

// Greedy by size: the largest block first, each into the tightest gap that the blocks in use
// together with it leave, else behind them. Optimal packing is NP-hard; this order keeps within a
// few percent of the most that is in use at once on networks as they are. Offsets are multiples of
// 64 when the sizes are. Requires overlaps.count() == sizes.size().
ArenaPlan PlanArena(std::span<const size_t> sizes, const Overlaps& overlaps);

// Of a plan's device steps that run one after the other, each only when all steps that it depends
// on are done. The outputs of a step are in use from its launch until every device step that reads
// them is done. Sizes are those of the largest gear of any bucket.
struct StepOutputs {
  std::vector<int> nodes;  // Of the plan: its device steps.
  std::vector<size_t> sizes;
  Overlaps overlaps;
};
StepOutputs OutputsOfSteps(const Plan& plan);

}  // namespace omserve::scheduler
