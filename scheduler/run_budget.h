// SPDX-License-Identifier: Apache-2.0
// How long a batch of one gear may run before it is taken as hung, from how long others ran.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>

#include "runtime/base/clock.h"

namespace omserve::scheduler {

struct RunBudgetOptions {
  // The least budget: what the host itself may be late by. A process on a busy machine is kept from
  // its processor for tens of milliseconds, which is nobody's fault.
  Clock::duration floor = std::chrono::milliseconds(200);
  // The budget while little is known of a gear, and the most at any time. 0: nothing is ever taken
  // as hung.
  Clock::duration ceiling{0};

  bool watches() const { return ceiling > Clock::duration::zero(); }
};

// The longest of the last 900 to 1000 runs, which is what a 99.9th percentile of them is. Kept as
// the longest of each hundred, so that a record costs a comparison and no memory.
// Thread-compatible.
class RunBudget final {
 public:
  void Record(Clock::duration run) {
    if (count_ % kBlockRuns == 0) {
      longest_[count_ / kBlockRuns % kBlocks] = run;
    } else {
      Clock::duration& longest = longest_[count_ / kBlockRuns % kBlocks];
      longest = std::max(longest, run);
    }
    ++count_;
  }
  // Requires options.watches().
  Clock::duration Get(const RunBudgetOptions& options) const {
    if (count_ < kRunsToKnow) {
      return options.ceiling;
    }
    const Clock::duration longest = *std::max_element(longest_.begin(), longest_.end());
    return std::min(std::max(longest, options.floor), options.ceiling);
  }

 private:
  static constexpr size_t kBlocks = 10;
  static constexpr size_t kBlockRuns = 100;
  static constexpr size_t kRunsToKnow = 20;

  std::array<Clock::duration, kBlocks> longest_{};
  size_t count_ = 0;
};

}  // namespace omserve::scheduler
