// SPDX-License-Identifier: Apache-2.0
#include "scheduler/cost_table.h"

#include <catch2/catch.hpp>
#include <chrono>

namespace omserve::scheduler {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Clock::time_point kStart{std::chrono::hours(1)};

// `runs` batches of the same time, all at `now`.
void RecordRuns(CostTable& table, Clock::duration time, int runs, Clock::time_point now = kStart) {
  for (int i = 0; i < runs; ++i) {
    table.Record(0, time, now);
  }
}

// Nothing ran yet: every prediction is "not known".
TEST_CASE("A gear that never ran has no cost") {
  const CostTable table(2);
  CHECK(table.Expected(1) == Clock::duration::zero());
  CHECK(table.ForRefusal(1, kStart) == Clock::duration::zero());
}

// The first run pays for what happens once; the second shows what a run takes.
TEST_CASE("A slow first run is forgotten by the second") {
  CostTable table(1);
  table.Record(0, milliseconds(900), kStart);
  table.Record(0, milliseconds(3), kStart);
  CHECK(table.Expected(0) == milliseconds(3));
}

// Gears do not mix.
TEST_CASE("Each gear has a cost of its own") {
  CostTable table(2);
  table.Record(0, milliseconds(1), kStart);
  table.Record(1, milliseconds(7), kStart);
  CHECK(table.Expected(0) == milliseconds(1));
  CHECK(table.Expected(1) == milliseconds(7));
}

// One run takes a hundred times as long, since the machine was busy: the prediction hardly moves,
// and the spread tells.
TEST_CASE("One run that was held up moves the cost by an eighth at most") {
  CostTable table(1);
  RecordRuns(table, milliseconds(8), 100);
  const Clock::duration before = table.ForRefusal(0, kStart, 2);
  table.Record(0, milliseconds(800), kStart);
  CHECK(table.Expected(0) == milliseconds(9));
  CHECK(table.ForRefusal(0, kStart, 2) > before + milliseconds(3));
}

// A model that has become four times slower, then as fast as before, is followed both ways.
TEST_CASE("A lasting change is followed") {
  CostTable table(1);
  RecordRuns(table, milliseconds(5), 50);
  RecordRuns(table, milliseconds(20), 50);
  CHECK(table.Expected(0) > milliseconds(19));
  CHECK(table.Expected(0) <= milliseconds(20));
  RecordRuns(table, milliseconds(5), 50);
  CHECK(table.Expected(0) < milliseconds(6));
}

// Runs that alternate between 4 and 6 ms: nearly all stay within two spreads.
TEST_CASE("Two spreads cover nearly all runs") {
  CostTable table(1);
  for (int i = 0; i < 200; ++i) {
    table.Record(0, i % 2 == 0 ? milliseconds(4) : milliseconds(6), kStart);
  }
  CHECK(table.Expected(0) > microseconds(4500));
  CHECK(table.Expected(0) < microseconds(5500));
  CHECK(table.ForRefusal(0, kStart, 2) > milliseconds(6));
  CHECK(table.ForRefusal(0, kStart, 2) < milliseconds(8));
}

// A bad minute had raised the cost to ten times the fastest run. All are refused by it, so none
// runs; in silence the prediction comes down, never below the fastest run, and is then forgotten.
TEST_CASE("What refuses fades in silence") {
  CostTable table(1);
  RecordRuns(table, milliseconds(10), 50);
  RecordRuns(table, milliseconds(100), 200);
  const Clock::duration raised = table.Expected(0);
  REQUIRE(raised > milliseconds(99));
  CHECK(table.ForRefusal(0, kStart + milliseconds(999)) == raised);
  CHECK(table.ForRefusal(0, kStart + seconds(2)) < milliseconds(56));
  CHECK(table.ForRefusal(0, kStart + seconds(12)) < milliseconds(11));
  CHECK(table.ForRefusal(0, kStart + seconds(59)) == milliseconds(10));
  CHECK(table.ForRefusal(0, kStart + seconds(60)) == Clock::duration::zero());
  // What is expected of the batches that do run stays.
  CHECK(table.Expected(0) == raised);
}

}  // namespace
}  // namespace omserve::scheduler
