// SPDX-License-Identifier: Apache-2.0
#include "server/core/exponential_histogram.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <vector>

namespace omserve::server {
namespace {

using Nanoseconds = std::chrono::nanoseconds;

uint64_t CountAt(const ExponentialHistogram& histogram, int index) {
  return histogram.buckets[static_cast<size_t>(index - ExponentialHistogram::kFirst)];
}

// What Prometheus makes of the buckets: the end of the one that a part of the durations, 0 to 1,
// does not exceed.
double Quantile(const ExponentialHistogram& histogram, double part) {
  const double wanted = part * static_cast<double>(histogram.count);
  auto below = static_cast<double>(histogram.zero_count);
  for (size_t i = 0; i < histogram.buckets.size(); ++i) {
    below += static_cast<double>(histogram.buckets[i]);
    if (below >= wanted) {
      return ExponentialHistogram::EndOf(static_cast<int>(i) + ExponentialHistogram::kFirst);
    }
  }
  return ExponentialHistogram::EndOf(ExponentialHistogram::kLast);
}

// Each duration is in the bucket that Prometheus gives it: above the end of the one before, and not
// above its own.
TEST_CASE("Durations are in their exponential bucket", "[statistics]") {
  std::mt19937_64 random(7);
  std::uniform_real_distribution<double> exponent(std::log2(1e3), std::log2(1.2e11));
  for (int i = 0; i < 10000; ++i) {
    const auto ns = static_cast<int64_t>(std::exp2(exponent(random)));
    ExponentialHistogram histogram;
    histogram.Record(Nanoseconds(ns));
    REQUIRE(histogram.count == 1);
    int index = ExponentialHistogram::kFirst;
    while (index <= ExponentialHistogram::kLast && CountAt(histogram, index) == 0) {
      ++index;
    }
    INFO(ns << " ns in bucket " << index);
    REQUIRE(index <= ExponentialHistogram::kLast);
    const double seconds = static_cast<double>(ns) / 1e9;
    CHECK(seconds <= ExponentialHistogram::EndOf(index) * (1 + 1e-12));
    CHECK(seconds > ExponentialHistogram::EndOf(index - 1) * (1 - 1e-12));
  }
}

// A power of two is the end of its bucket, what is next to nothing is in none, and what is longer
// than all is in the last.
TEST_CASE("The ends of exponential buckets", "[statistics]") {
  ExponentialHistogram histogram;
  histogram.Record(std::chrono::seconds(1));
  histogram.Record(std::chrono::seconds(1) + Nanoseconds(1));
  histogram.Record(Nanoseconds(0));
  histogram.Record(Nanoseconds(900));
  histogram.Record(Nanoseconds(-5));
  histogram.Record(std::chrono::hours(1));
  CHECK(CountAt(histogram, 0) == 1);
  CHECK(CountAt(histogram, 1) == 1);
  CHECK(CountAt(histogram, ExponentialHistogram::kLast) == 1);
  CHECK(histogram.zero_count == 3);
  CHECK(histogram.count == 6);
}

// Within a bucket's width of what sorting says, also of two that were added.
TEST_CASE("Quantiles of exponential histograms", "[statistics]") {
  std::mt19937_64 random(3);
  std::lognormal_distribution<double> ms(2, 1);
  std::vector<double> all;
  ExponentialHistogram one;
  ExponentialHistogram two;
  for (int i = 0; i < 20000; ++i) {
    all.push_back(ms(random) / 1e3);
    (i % 2 == 0 ? one : two)
        .Record(
            std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(all.back())));
  }
  one.Add(two);
  std::sort(all.begin(), all.end());
  for (const double part : {0.01, 0.5, 0.9, 0.99, 0.999}) {
    const double exact = all[static_cast<size_t>(part * 20000) - 1];
    CHECK(Quantile(one, part) >= exact * 0.999);
    CHECK(Quantile(one, part) <= exact * 1.1);
  }
}

}  // namespace
}  // namespace omserve::server
