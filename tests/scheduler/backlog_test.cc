// SPDX-License-Identifier: Apache-2.0
#include "scheduler/backlog.h"

#include <array>
#include <catch2/catch.hpp>
#include <chrono>
#include <random>
#include <utility>
#include <vector>

namespace omserve::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Clock::time_point kNow{std::chrono::hours(1)};
constexpr Clock::time_point kNone = Clock::time_point::max();

// A row of the first priority goes before all of the second, whatever their deadlines.
TEST_CASE("Priorities are strict") {
  Backlog backlog;
  backlog.Add({1, kNone}, milliseconds(5), kNow);
  backlog.Add({2, kNow + milliseconds(1)}, milliseconds(7), kNow);
  CHECK(backlog.Before({1, kNone}, kNow) == milliseconds(5));
  CHECK(backlog.Before({2, kNone}, kNow) == milliseconds(12));
  CHECK(backlog.total() == milliseconds(12));
}

// Within a priority the earlier deadline goes first, and rows without one go last.
TEST_CASE("Deadlines order the rows of a priority") {
  Backlog backlog;
  backlog.Add({1, kNone}, milliseconds(100), kNow);
  backlog.Add({1, kNow + seconds(1)}, milliseconds(30), kNow);
  CHECK(backlog.Before({1, kNow + milliseconds(100)}, kNow) == Clock::duration::zero());
  CHECK(backlog.Before({1, kNow + seconds(2)}, kNow) == milliseconds(30));
  CHECK(backlog.Before({1, kNone}, kNow) == milliseconds(130));
}

// Rows come, wait and go in any order: work is neither lost nor made, what goes before a row is
// never less than the truth, and the cells stay few.
TEST_CASE("Any sequence of rows is accounted for") {
  std::mt19937_64 random(1);
  Backlog backlog;
  struct Row {
    Urgency urgency;
    Urgency cell;
    Clock::duration work;
  };
  std::vector<Row> rows;
  Clock::time_point now = kNow;
  size_t most_cells = 0;
  for (int turn = 0; turn < 20000; ++turn) {
    now += std::chrono::microseconds(random() % 200);
    if (rows.size() < 1000 || random() % 2 == 0) {
      Row row{
          .urgency = {1 + random() % 2, now + std::chrono::microseconds(1 + random() % 2000000)},
          .work = std::chrono::microseconds(random() % 1000)};
      if (random() % 4 == 0) {
        row.urgency.deadline = kNone;
      }
      row.cell = backlog.Add(row.urgency, row.work, now);
      rows.push_back(row);
    } else {
      std::swap(rows[random() % rows.size()], rows.back());
      backlog.Remove(rows.back().cell, rows.back().work);
      rows.pop_back();
    }
    most_cells = std::max(most_cells, backlog.cell_count());
    if (turn % 100 == 0) {
      const Urgency asked{1 + random() % 2, now + milliseconds(1 + random() % 2000)};
      Clock::duration truth{0};
      Clock::duration total{0};
      for (const Row& row : rows) {
        total += row.work;
        truth += row.urgency <= asked ? row.work : Clock::duration::zero();
      }
      REQUIRE(backlog.total() == total);
      REQUIRE(backlog.Before({2, kNone}, now) == total);
      const Clock::duration before = backlog.Before(asked, now);
      REQUIRE(before >= Clock::duration::zero());
      REQUIRE(before <= total);
      // Rows of its cell count as before it, and the rows of earlier cells are all before it: it is
      // off by what lies within an eighth of the time left.
      Clock::duration within{0};
      for (const Row& row : rows) {
        const Clock::time_point latest = asked.deadline + (asked.deadline - now) / 4;
        within +=
            row.urgency <= Urgency{asked.priority, latest} ? row.work : Clock::duration::zero();
      }
      REQUIRE(before <= within);
    }
  }
  CHECK(most_cells < 400);
  for (const Row& row : rows) {
    backlog.Remove(row.cell, row.work);
  }
  CHECK(backlog.total() == Clock::duration::zero());
  CHECK(backlog.cell_count() == 0);
}

TEST_CASE("Work goes to the lanes that are free first") {
  std::array<Clock::duration, 3> busy = {milliseconds(10), milliseconds(0), milliseconds(4)};
  CHECK(TimeToDrain(busy, milliseconds(0)) == milliseconds(0));
  CHECK(TimeToDrain(busy, milliseconds(3)) == milliseconds(3));
  // 4 ms of the idle lane, then two work: 4 + 6 / 2.
  CHECK(TimeToDrain(busy, milliseconds(10)) == milliseconds(7));
  // 4 + 2 * 6 until the third joins, and 14 + 3 * 2.
  CHECK(TimeToDrain(busy, milliseconds(22)) == milliseconds(12));
}

}  // namespace
}  // namespace omserve::scheduler
