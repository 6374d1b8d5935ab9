// SPDX-License-Identifier: Apache-2.0
#include "tools/omctl/bench/histogram.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace omserve::bench {
namespace {

constexpr int kExactBits = 10;                      // Values of so few bits have their own bucket.
constexpr uint64_t kHalf = 1U << (kExactBits - 1);  // Buckets of each further power of two.
constexpr uint64_t kMost = (uint64_t{1} << 44) - 1;

// A value of more than kExactBits bits keeps its upper ones: `shift` of them are dropped.
size_t BucketOf(uint64_t value) {
  const int bits = static_cast<int>(std::bit_width(value));
  const int shift = std::max(0, bits - kExactBits);
  return static_cast<size_t>(static_cast<uint64_t>(shift) * kHalf + (value >> shift));
}

// The largest value of a bucket.
uint64_t UpperBound(size_t bucket) {
  if (bucket < 2 * kHalf) {
    return bucket;
  }
  const uint64_t shift = bucket / kHalf - 1;
  const uint64_t kept = bucket - shift * kHalf;
  return ((kept + 1) << shift) - 1;
}

}  // namespace

void Histogram::Record(Clock::duration value) {
  const uint64_t ns = std::min(kMost, static_cast<uint64_t>(std::max<int64_t>(0, value.count())));
  const size_t bucket = BucketOf(ns);
  if (bucket >= counts_.size()) {
    counts_.resize(bucket + kHalf);
  }
  ++counts_[bucket];
  ++count_;
  sum_ns_ += ns;
  max_ = std::max(max_, Clock::duration(static_cast<int64_t>(ns)));
}

void Histogram::Add(const Histogram& other) {
  counts_.resize(std::max(counts_.size(), other.counts_.size()));
  for (size_t i = 0; i < other.counts_.size(); ++i) {
    counts_[i] += other.counts_[i];
  }
  count_ += other.count_;
  sum_ns_ += other.sum_ns_;
  max_ = std::max(max_, other.max_);
}

Clock::duration Histogram::mean() const {
  return Clock::duration(static_cast<int64_t>(count_ == 0 ? 0 : sum_ns_ / count_));
}

Clock::duration Histogram::Percentile(double percent) const {
  const auto wanted = static_cast<uint64_t>(
      std::max(1.0, std::ceil(static_cast<double>(count_) * percent / 100.0 - 1e-9)));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < counts_.size(); ++bucket) {
    seen += counts_[bucket];
    if (seen >= wanted) {
      return std::min(max_, Clock::duration(static_cast<int64_t>(UpperBound(bucket))));
    }
  }
  return max_;
}

}  // namespace omserve::bench
