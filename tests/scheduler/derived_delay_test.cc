// SPDX-License-Identifier: Apache-2.0
#include "scheduler/derived_delay.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <vector>

namespace omserve::scheduler {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr Clock::time_point kStart{std::chrono::hours(1)};
constexpr milliseconds kLongest{100};

// A batch of four takes hardly longer than one row.
const std::vector<FitGear> kFlat = {
    {1, milliseconds(4)}, {2, milliseconds(4)}, {4, milliseconds(5)}};
// Each row takes as long, however many there are.
const std::vector<FitGear> kProportional = {
    {1, milliseconds(2)}, {2, milliseconds(4)}, {4, milliseconds(8)}};

// Gaps as measured once: after 1 row, after 2 and so on.
ArrivalGaps Gaps(const std::vector<microseconds>& after) {
  ArrivalGaps gaps(static_cast<int>(after.size()) + 1);
  Clock::time_point now = kStart;
  gaps.Begin(1, now, kLongest);
  for (const microseconds gap : after) {
    now += gap;
    gaps.NoteArrival(1, now);
  }
  return gaps;
}

// One row more within 0.5 ms: together both end after 4.5 ms, apart after 4 and 8, 6 in the mean.
// So 2 ms may be waited, the time at which that is even.
TEST_CASE("It pays to wait when the mean end comes sooner") {
  const ArrivalGaps gaps = Gaps({microseconds(500), milliseconds(50), milliseconds(50)});
  CHECK(DerivedDelay({.rows = 1, .gears = kFlat}, gaps) == milliseconds(2));
  // The third is far off: two leave.
  CHECK(DerivedDelay({.rows = 2, .gears = kFlat}, gaps) == milliseconds(0));
}

TEST_CASE("It does not pay when the next row is far or unknown") {
  CHECK(DerivedDelay({.rows = 1, .gears = kFlat},
                     Gaps({milliseconds(3), milliseconds(3), milliseconds(3)})) == milliseconds(0));
  CHECK(DerivedDelay({.rows = 1, .gears = kFlat}, ArrivalGaps(4)) == milliseconds(0));
}

// One row more brings too little, two more in a moment bring enough.
TEST_CASE("Several rows are waited for where one would not pay") {
  const std::vector<FitGear> gears = {
      {1, milliseconds(4)}, {2, milliseconds(6)}, {4, milliseconds(6)}};
  const ArrivalGaps gaps = Gaps({microseconds(100), microseconds(100), microseconds(100)});
  CHECK(DerivedDelay({.rows = 1, .gears = gears}, gaps) == microseconds(2500));
}

// What costs as much for each row gains nothing by going together: 4 ms and 8, or 8 and 8.
TEST_CASE("Rows that cost the same together are not kept waiting") {
  const ArrivalGaps gaps = Gaps({microseconds(50), microseconds(50), microseconds(50)});
  CHECK(DerivedDelay({.rows = 2, .gears = kProportional}, gaps) == milliseconds(0));
}

// The next row could start there at once.
TEST_CASE("Nothing is waited for beside an idle lane") {
  const ArrivalGaps gaps = Gaps({microseconds(100), microseconds(100), microseconds(100)});
  CHECK(DerivedDelay({.rows = 1, .gears = kFlat, .other_lane = milliseconds(0)}, gaps) ==
        milliseconds(0));
  CHECK(DerivedDelay({.rows = 1, .gears = kFlat, .other_lane = microseconds(300)}, gaps) ==
        microseconds(150));
}

// Costs that were never measured are no reason to wait, nor are gains below what a timer is late.
TEST_CASE("What is not known or too little is not waited for") {
  const ArrivalGaps gaps = Gaps({microseconds(10), microseconds(10), microseconds(10)});
  const std::vector<FitGear> unknown = {{1, milliseconds(0)}, {4, milliseconds(0)}};
  CHECK(DerivedDelay({.rows = 1, .gears = unknown}, gaps) == milliseconds(0));
  const std::vector<FitGear> tiny = {{1, microseconds(100)}, {4, microseconds(100)}};
  CHECK(DerivedDelay({.rows = 1, .gears = tiny}, gaps) == milliseconds(0));
}

// A row is counted on although it came after the others had left: that is how waiting begins.
TEST_CASE("Gaps are measured whether or not rows were kept") {
  ArrivalGaps gaps(4);
  gaps.Begin(1, kStart, kLongest);
  gaps.NoteArrival(1, kStart + milliseconds(1));
  gaps.NoteArrival(2, kStart + milliseconds(3));  // A request of two rows, after the first two.
  CHECK(gaps.After(1) == milliseconds(1));
  CHECK(gaps.After(2) == milliseconds(2));
  CHECK(gaps.After(3) == milliseconds(0));
}

// Two rows that nobody followed, and what was counted on is counted on no longer; it takes longer
// to be trusted again. An idle hour is no worse than any long time.
TEST_CASE("Gaps grow fast and shrink slowly") {
  ArrivalGaps gaps(4);
  Clock::time_point now = kStart;
  const auto measure = [&](Clock::duration gap) {
    gaps.Begin(1, now, milliseconds(16));
    now += gap;
    gaps.NoteArrival(1, now);
    return gaps.After(1);
  };
  CHECK(measure(milliseconds(0)) == milliseconds(0));
  CHECK(measure(std::chrono::hours(1)) == milliseconds(8));
  CHECK(measure(std::chrono::hours(1)) == milliseconds(12));
  CHECK(measure(milliseconds(4)) == milliseconds(11));
}

// The lane is idle again and nothing has come: that much is known.
TEST_CASE("A gap that has not ended counts when it is longer than expected") {
  ArrivalGaps gaps(4);
  gaps.Begin(1, kStart, kLongest);
  gaps.NoteArrival(1, kStart + milliseconds(1));
  gaps.Begin(1, kStart + milliseconds(1), kLongest);
  gaps.Begin(1, kStart + milliseconds(6), kLongest);
  CHECK(gaps.After(1) == milliseconds(3));
}

// Whatever was measured, a wait never takes longer than the batch that leaves, nor than another
// lane needs to be free.
TEST_CASE("The wait has its bounds") {
  std::mt19937 random(1);
  const auto some = [&random](int most_us) {
    return microseconds(random() % static_cast<unsigned>(most_us));
  };
  for (int i = 0; i < 20000; ++i) {
    std::vector<FitGear> gears;
    Clock::duration cost{0};
    for (const int rows : {1, 2, 4, 8}) {
      cost += some(3000);
      gears.push_back({rows, cost});
    }
    std::vector<microseconds> after;
    for (int row = 1; row < 8; ++row) {
      after.push_back(some(2000));
    }
    const int rows = 1 + static_cast<int>(random() % 7);
    const Clock::duration other_lane = some(6000);
    const Clock::duration delay =
        DerivedDelay({.rows = rows, .gears = gears, .other_lane = other_lane}, Gaps(after));
    const size_t gear = rows <= 1 ? 0 : rows <= 2 ? 1 : rows <= 4 ? 2 : 3;
    REQUIRE(delay >= milliseconds(0));
    REQUIRE(delay <= std::min(gears[gear].cost, other_lane));
  }
}

}  // namespace
}  // namespace omserve::scheduler
