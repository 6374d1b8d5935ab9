// SPDX-License-Identifier: Apache-2.0
// When a load that took another one's place is judged worse than that one.
#include "server/core/probation.h"

#include <catch2/catch.hpp>
#include <string>

namespace omserve::server {
namespace {

constexpr uint64_t kMs = 1'000'000;

ServedCounts Counts(uint64_t succeeded, uint64_t failed, uint64_t mean_ms) {
  return {.succeeded = succeeded, .failed = failed, .success_ns = succeeded * mean_ms * kMs};
}

TEST_CASE("A load is not judged before enough requests have come") {
  const ProbationBounds bounds{.min_requests = 20};
  CHECK(FindWorse(bounds, Counts(1000, 0, 1), Counts(0, 19, 1)).empty());
  CHECK_FALSE(FindWorse(bounds, Counts(1000, 0, 1), Counts(0, 20, 1)).empty());
}

TEST_CASE("Failures count beyond those of the load before") {
  const ProbationBounds bounds{.min_requests = 20, .max_added_failures = 0.05};
  CHECK(FindWorse(bounds, Counts(100, 0, 1), Counts(95, 5, 1)).empty());
  CHECK(FindWorse(bounds, Counts(100, 0, 1), Counts(90, 10, 1)) ==
        "10 of 100 requests failed, 10.0 %, where 5.0 % were allowed");
  CHECK(FindWorse(bounds, Counts(90, 10, 1), Counts(86, 14, 1)).empty());
  // Of a load that nobody had asked anything of, nothing failed.
  CHECK_FALSE(FindWorse(bounds, {}, Counts(90, 10, 1)).empty());
}

TEST_CASE("Latency counts where it is asked for and there is one to hold it against") {
  ProbationBounds bounds{.min_requests = 20};
  CHECK(FindWorse(bounds, Counts(100, 0, 1), Counts(100, 0, 50)).empty());
  bounds.max_latency_ratio = 2;
  CHECK(FindWorse(bounds, Counts(100, 0, 10), Counts(100, 0, 20)).empty());
  CHECK(FindWorse(bounds, Counts(100, 0, 10), Counts(100, 0, 21)) ==
        "requests take 21.000 ms, where those before took 10.000 ms and 2 times as long was "
        "allowed");
  CHECK(FindWorse(bounds, Counts(19, 0, 10), Counts(100, 0, 21)).empty());
}

TEST_CASE("Bounds that are not set have their defaults") {
  inference::ModelReplacement replacement;
  CHECK(BoundsOf(replacement).duration == Clock::duration::zero());
  replacement.mutable_probation()->set_duration_seconds(60);
  const ProbationBounds bounds = BoundsOf(replacement);
  CHECK(bounds.duration == std::chrono::seconds(60));
  CHECK(bounds.min_requests == 20);
  CHECK(bounds.max_added_failures == 0.05);
  CHECK(bounds.max_latency_ratio == 0);
}

TEST_CASE("What the model cannot be blamed for does not count") {
  ModelStatistics statistics;
  statistics.success = {.count = 7, .ns = 70};
  statistics.fail_by_reason = {1, 2, 3, 4};  // Refused, cancelled, on the device, bad.
  statistics.expired_running = 5;
  const ServedCounts counts = CountsOf(statistics);
  CHECK(counts.succeeded == 7);
  CHECK(counts.failed == 8);
  CHECK(Since(Counts(2, 3, 0), counts).failed == 5);
}

}  // namespace
}  // namespace omserve::server
