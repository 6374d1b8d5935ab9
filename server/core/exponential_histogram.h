// SPDX-License-Identifier: Apache-2.0
// How durations are distributed, to within 9 %, whatever they are: buckets whose ends grow by the
// eighth root of two. Those of any number of replicas can be added up.
//
// Source: Prometheus' native histograms, schema 3.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "runtime/base/clock.h"

namespace omserve::server {

struct ExponentialHistogram {
  static constexpr int kSchema = 3;  // 2^3 buckets from one power of two to the next.
  // Indices of Prometheus: bucket i ends at 2^(i/8) seconds, inclusive. From 1 us to 128 s; what is
  // longer is in the last one.
  static constexpr int kFirst = -159;
  static constexpr int kLast = 56;
  // What is not longer is in no bucket.
  static constexpr double kZeroSeconds = 0x1p-20;

  // Constant time, no allocation.
  void Record(Clock::duration duration);
  void Add(const ExponentialHistogram& other);
  // Leaves what came since; `before` is an earlier state of this.
  void Subtract(const ExponentialHistogram& before);
  // Seconds: the middle of the bucket that the `part`th of all is in, so right to within 5 %; 0 for
  // what is in none; NaN when there is nothing.
  double Quantile(double part) const;
  static double EndOf(int index);  // Seconds.

  std::array<uint64_t, static_cast<size_t>(kLast - kFirst + 1)> buckets{};  // By index - kFirst.
  uint64_t zero_count = 0;
  uint64_t count = 0;
};

}  // namespace omserve::server
