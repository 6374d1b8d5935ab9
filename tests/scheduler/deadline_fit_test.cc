// SPDX-License-Identifier: Apache-2.0
#include "scheduler/deadline_fit.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <vector>

namespace omserve::scheduler {
namespace {

using std::chrono::milliseconds;

constexpr Clock::time_point kStart{std::chrono::hours(1)};

// Gears of 1, 4 and 8 rows that take 2, 5 and 8 ms: the largest is the cheapest for a row.
const std::vector<FitGear> kGears = {
    {1, milliseconds(2)}, {4, milliseconds(5)}, {8, milliseconds(8)}};

// Groups of one row that must be over so many milliseconds after the start; 0: at any time.
std::vector<FitRow> Rows(const std::vector<int>& latest_ms) {
  std::vector<FitRow> rows;
  for (const int ms : latest_ms) {
    rows.push_back({1, ms == 0 ? Clock::time_point::max() : kStart + milliseconds(ms)});
  }
  return rows;
}

FitResult Fit(const std::vector<FitRow>& rows, bool crowded) {
  return FitBatch({.gears = kGears,
                   .rows = rows,
                   .groups = std::min<size_t>(8, rows.size()),
                   .start = kStart,
                   .crowded = crowded});
}

using Late = std::vector<size_t>;

// All have time enough for the largest gear.
TEST_CASE("A batch in time stays as it is") {
  for (const bool crowded : {false, true}) {
    const FitResult fit = Fit(Rows({8, 9, 0, 8, 0, 0, 0, 0}), crowded);
    CHECK(fit.late.empty());
    CHECK(fit.groups == 8);
  }
}

// One has less time than the smallest gear takes.
TEST_CASE("A row that no gear can save is dropped") {
  CHECK(Fit(Rows({1, 0, 0}), false).late == Late{0});
  CHECK(Fit(Rows({0, 1, 0, 1}), true).late == Late{1, 3});
  // Two rows that came together need the gear of four.
  CHECK(Fit({{2, kStart + milliseconds(4)}, {1, kStart + milliseconds(4)}}, false).late == Late{0});
}

// The most urgent row has 3 ms. Nobody was refused for these, so it goes alone, and the others
// after it.
TEST_CASE("With room behind it a batch is made small for its most urgent row") {
  const FitResult fit = Fit(Rows({3, 0, 0, 0, 0, 0, 0}), false);
  CHECK(fit.late.empty());
  CHECK(fit.groups == 1);
  // Four of them are in time in the gear of four.
  CHECK(Fit(Rows({5, 5, 6, 7, 0, 0}), false).groups == 4);
}

// A larger gear may take no longer than a smaller one: looking on past a row that does not fit.
TEST_CASE("The longest part that is in time is taken") {
  const std::vector<FitGear> gears = {
      {1, milliseconds(2)}, {2, milliseconds(6)}, {8, milliseconds(4)}};
  const std::vector<FitRow> rows = Rows({5, 5, 5});
  const FitResult fit =
      FitBatch({.gears = gears, .rows = rows, .groups = rows.size(), .start = kStart});
  CHECK(fit.groups == 3);
}

// Others were refused. One row has 3 ms: alone it would take 2 ms of the device, in which the
// large gear does two rows. It is dropped, and the others fill the large gear.
TEST_CASE("In a crowd the row that would cost the others is dropped") {
  const FitResult fit = Fit(Rows({3, 0, 0, 0, 0, 0, 0, 0}), true);
  CHECK(fit.late == Late{0});
}

// The eight that would go have 6 ms each, and eight patient ones wait behind: these fill the large
// gear, which does more for its time than a small one with half of the first.
TEST_CASE("In a crowd rows from behind fill the best gear") {
  const FitResult fit = Fit(Rows({6, 6, 6, 6, 6, 6, 6, 6, 0, 0, 0, 0, 0, 0, 0, 0}), true);
  CHECK(fit.late == Late{0, 1, 2, 3, 4, 5, 6, 7});
}

// All rows have 6 ms, so the largest gear would be late for each of them: the next one is taken,
// and nobody is dropped.
TEST_CASE("In a crowd of equally urgent rows the largest gear that is in time is taken") {
  const FitResult fit = Fit(Rows({6, 6, 6, 6, 6, 6, 6, 6}), true);
  CHECK(fit.late.empty());
  CHECK(fit.groups == 4);
}

// Nothing was measured: nothing is late, but for rows whose time is over for what follows them.
TEST_CASE("Gears of unknown cost drop nobody") {
  const std::vector<FitGear> gears = {{1}, {4}};
  const std::vector<FitRow> rows = Rows({1, 1, 1});
  const FitResult fit =
      FitBatch({.gears = gears, .rows = rows, .groups = rows.size(), .start = kStart});
  CHECK(fit.late.empty());
  CHECK(fit.groups == 3);
  const std::vector<FitRow> past = Rows({-1});
  CHECK(FitBatch({.gears = gears, .rows = past, .groups = past.size(), .start = kStart}).late ==
        Late{0});
}

// Any rows: either some are dropped, each for a reason, or a batch comes out that is in time.
TEST_CASE("Any rows fit or are dropped") {
  std::mt19937 random(7);
  for (int turn = 0; turn < 20000; ++turn) {
    std::vector<FitRow> rows;
    int left = 8;
    while (left > 0 && random() % 8 != 0) {
      const int count = 1 + static_cast<int>(random() % static_cast<unsigned>(std::min(left, 3)));
      rows.push_back({count, random() % 4 == 0 ? Clock::time_point::max()
                                               : kStart + milliseconds(random() % 14)});
      left -= count;
    }
    if (rows.empty()) {
      continue;
    }
    const FitResult fit = Fit(rows, random() % 2 == 0);
    for (const size_t late : fit.late) {
      REQUIRE(rows.at(late).latest < kStart + milliseconds(8));
    }
    if (fit.late.empty()) {
      REQUIRE(fit.groups > 0);
      REQUIRE(fit.groups <= rows.size());
      int count = 0;
      Clock::time_point tightest = Clock::time_point::max();
      for (size_t i = 0; i < fit.groups; ++i) {
        count += rows[i].rows;
        tightest = std::min(tightest, rows[i].latest);
      }
      const auto cost = milliseconds(count > 4 ? 8 : count > 1 ? 5 : 2);
      REQUIRE(kStart + cost <= tightest);
    }
  }
}

}  // namespace
}  // namespace omserve::scheduler
