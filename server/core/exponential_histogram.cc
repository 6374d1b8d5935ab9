// SPDX-License-Identifier: Apache-2.0
#include "server/core/exponential_histogram.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>

namespace omserve::server {
namespace {

constexpr int kPerPower = 1 << ExponentialHistogram::kSchema;

// The lower ends of the buckets from 1/2 to 1, which is how frexp splits numbers.
const std::array<double, kPerPower>& Ends() {
  static const std::array<double, kPerPower> ends = [] {
    std::array<double, kPerPower> made{};
    for (int i = 0; i < kPerPower; ++i) {
      made[static_cast<size_t>(i)] = std::exp2(static_cast<double>(i) / kPerPower - 1);
    }
    return made;
  }();
  return ends;
}

int IndexOf(double seconds) {
  int exponent = 0;
  const double fraction = std::frexp(seconds, &exponent);
  const auto end = std::ranges::lower_bound(Ends(), fraction);
  return static_cast<int>(end - Ends().begin()) + (exponent - 1) * kPerPower;
}

}  // namespace

void ExponentialHistogram::Record(Clock::duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  ++count;
  if (seconds <= kZeroSeconds) {
    ++zero_count;
    return;
  }
  const int index = std::clamp(IndexOf(seconds), kFirst, kLast);
  ++buckets[static_cast<size_t>(index - kFirst)];
}

void ExponentialHistogram::Add(const ExponentialHistogram& other) {
  for (size_t i = 0; i < buckets.size(); ++i) {
    buckets[i] += other.buckets[i];
  }
  zero_count += other.zero_count;
  count += other.count;
}

void ExponentialHistogram::Subtract(const ExponentialHistogram& before) {
  for (size_t i = 0; i < buckets.size(); ++i) {
    buckets[i] -= before.buckets[i];
  }
  zero_count -= before.zero_count;
  count -= before.count;
}

double ExponentialHistogram::Quantile(double part) const {
  if (count == 0) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  const auto rank =
      std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(part * static_cast<double>(count))));
  uint64_t below = zero_count;
  if (rank <= below) {
    return 0;
  }
  for (size_t i = 0; i < buckets.size(); ++i) {
    below += buckets[i];
    if (rank <= below) {
      // The geometric middle: the error is the same whichever end the value is near.
      return EndOf(static_cast<int>(i) + kFirst) * std::exp2(-0.5 / kPerPower);
    }
  }
  return EndOf(kLast);
}

double ExponentialHistogram::EndOf(int index) {
  return std::exp2(static_cast<double>(index) / kPerPower);
}

}  // namespace omserve::server
