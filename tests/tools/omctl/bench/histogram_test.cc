// SPDX-License-Identifier: Apache-2.0
#include "tools/omctl/bench/histogram.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <random>
#include <vector>

namespace omserve::bench {
namespace {

using namespace std::chrono_literals;  // NOLINT: durations as people write them.

// Nothing recorded: everything is 0.
TEST_CASE("Histogram: empty") {
  const Histogram histogram;
  CHECK(histogram.count() == 0);
  CHECK(histogram.mean() == 0ns);
  CHECK(histogram.max() == 0ns);
  CHECK(histogram.Percentile(99) == 0ns);
}

// Small values are exact, and a percentile is a value that was recorded.
TEST_CASE("Histogram: small values are exact") {
  Histogram histogram;
  for (int i = 1; i <= 1000; ++i) {
    histogram.Record(Clock::duration(i));
  }
  CHECK(histogram.Percentile(0) == 1ns);
  CHECK(histogram.Percentile(0.1) == 1ns);
  CHECK(histogram.Percentile(50) == 500ns);
  CHECK(histogram.Percentile(99.9) == 999ns);
  CHECK(histogram.Percentile(100) == 1000ns);
  CHECK(histogram.mean() == 500ns);
}

// Values of any size, against the sorted list: never below the true percentile, and at most 0.2 %
// above it.
TEST_CASE("Histogram: percentiles are within 0.2 %, seeded") {
  std::mt19937_64 random(20261125);
  std::uniform_real_distribution<double> exponent(0, 12.5);
  Histogram histogram;
  std::vector<int64_t> values;
  for (int i = 0; i < 20000; ++i) {
    values.push_back(static_cast<int64_t>(std::pow(10.0, exponent(random))));
    histogram.Record(Clock::duration(values.back()));
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 99.99, 100.0}) {
    CAPTURE(percent);
    const auto rank =
        static_cast<size_t>(std::ceil(static_cast<double>(values.size()) * percent / 100 - 1e-9));
    const auto exact = static_cast<double>(values[rank - 1]);
    const auto found = static_cast<double>(histogram.Percentile(percent).count());
    CHECK(found >= exact);
    CHECK(found <= exact * 1.002 + 1);
  }
  CHECK(histogram.max().count() == values.back());
}

// Two histograms joined are as one that saw everything; ends of the range are kept within it.
TEST_CASE("Histogram: joined, and out of range") {
  Histogram low;
  Histogram high;
  Histogram both;
  for (int i = 1; i <= 100; ++i) {
    low.Record(Clock::duration(i));
    high.Record(i * 1ms);
    both.Record(Clock::duration(i));
    both.Record(i * 1ms);
  }
  low.Add(high);
  CHECK(low.count() == both.count());
  CHECK(low.mean() == both.mean());
  for (const double percent : {10.0, 50.0, 75.0, 99.0}) {
    CHECK(low.Percentile(percent) == both.Percentile(percent));
  }
  Histogram extreme;
  extreme.Record(-5ns);
  extreme.Record(std::chrono::hours(1000));
  CHECK(extreme.Percentile(50) == 0ns);
  CHECK(extreme.max() == Clock::duration((int64_t{1} << 44) - 1));
}

}  // namespace
}  // namespace omserve::bench
