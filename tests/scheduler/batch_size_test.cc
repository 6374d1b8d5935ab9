// SPDX-License-Identifier: Apache-2.0
#include "scheduler/batch_size.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <vector>

namespace omserve::scheduler {
namespace {

using std::chrono::microseconds;

constexpr Clock::time_point kNow{std::chrono::seconds(1)};

// Gears of 1, 2, 4 and 8 rows.
Bucket Gears() {
  Bucket bucket;
  bucket.gears = {{1, 0}, {2, 1}, {4, 2}, {8, 3}};
  return bucket;
}

// That were measured to take so many microseconds; 0: never.
BatchSize Measured(const std::vector<int>& times_us) {
  BatchSize size(times_us.size());
  for (size_t gear = 0; gear < times_us.size(); ++gear) {
    if (times_us[gear] > 0) {
      size.Record(gear, microseconds(times_us[gear]), kNow);
    }
  }
  return size;
}

TEST_CASE("Batch size: the largest gear, unless a smaller one is clearly better") {
  CHECK(Measured({1000, 1100, 1300, 1700}).Of(Gears(), 1) == 8);
  CHECK(Measured({1000, 2000, 4000, 8000}).Of(Gears(), 1) == 8);
  CHECK(Measured({1000, 2100, 4300, 8800}).Of(Gears(), 1) == 8);
}

TEST_CASE("Batch size: a smaller gear in which a row takes less") {
  // Alone nothing is copied.
  CHECK(Measured({100, 600, 1200, 2400}).Of(Gears(), 1) == 1);
  // The gear of 8 no longer fits into a cache.
  CHECK(Measured({1000, 1100, 1300, 8000}).Of(Gears(), 1) == 4);
  // Each is a little better than the next: in the end that is much.
  CHECK(Measured({1000, 2200, 4840, 10648}).Of(Gears(), 1) == 2);
}

// A request is not divided.
TEST_CASE("Batch size: the first row group fits") {
  CHECK(Measured({100, 600, 1200, 9600}).Of(Gears(), 2) == 4);
  CHECK(Measured({100, 600, 1200, 9600}).Of(Gears(), 4) == 4);
  CHECK(Measured({100, 600, 1200, 9600}).Of(Gears(), 5) == 8);
}

TEST_CASE("Batch size: what was never measured") {
  CHECK(BatchSize(4).Of(Gears(), 1) == 8);
  CHECK(Measured({100, 600, 1200, 0}).Of(Gears(), 1) == 8);
  CHECK(Measured({0, 0, 0, 9600}).Of(Gears(), 1) == 8);
  CHECK(Measured({0, 600, 0, 9600}).Of(Gears(), 1) == 2);
}

// A launch costs the host something that no device tells of.
TEST_CASE("Batch size: models that take no time go together") {
  CHECK(Measured({1, 4, 10, 40}).Of(Gears(), 1) == 8);
}

// Nobody is passed over for ever.
TEST_CASE("Batch size: the largest gear is tried again") {
  BatchSize size = Measured({100, 600, 1200, 9600});
  int batches = 0;
  for (; size.Of(Gears(), 1) == 1; ++batches) {
    REQUIRE(batches < 2000);
    size.Record(0, microseconds(100), kNow);
  }
  CHECK(batches == 1000);
  size.Record(3, microseconds(9600), kNow);
  CHECK(size.Of(Gears(), 1) == 1);
  // What has become better is taken, as soon as the mean says so.
  for (int i = 0; i < 100; ++i) {
    size.Record(3, microseconds(400), kNow);
  }
  CHECK(size.Of(Gears(), 1) == 8);
}

}  // namespace
}  // namespace omserve::scheduler
