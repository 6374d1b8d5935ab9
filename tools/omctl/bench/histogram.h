// SPDX-License-Identifier: Apache-2.0
// Durations counted in buckets whose width grows with them, so that percentiles of any size are
// known to 0.2 % and recording is one addition.
#pragma once

#include <cstdint>
#include <vector>

#include "runtime/base/clock.h"

namespace omserve::bench {

// Values below 1024 ns have a bucket each; above, every power of two is cut into 512. A value that
// is negative counts as 0, one beyond 2^44 ns (about five hours) as that. Thread-compatible.
class Histogram final {
 public:
  void Record(Clock::duration value);
  void Add(const Histogram& other);
  void Clear() { *this = Histogram(); }

  uint64_t count() const { return count_; }
  Clock::duration max() const { return max_; }  // Exact; 0 when empty.
  Clock::duration mean() const;                 // Exact; 0 when empty.
  // The smallest bucket bound that at least `percent` (0 to 100) of the values do not exceed, and
  // never more than max(); 0 when empty.
  Clock::duration Percentile(double percent) const;

 private:
  std::vector<uint64_t> counts_;  // As long as the largest value so far needs.
  uint64_t count_ = 0;
  uint64_t sum_ns_ = 0;
  Clock::duration max_{0};
};

}  // namespace omserve::bench
