// SPDX-License-Identifier: Apache-2.0
#include "scheduler/pair_table.h"

#include <catch2/catch.hpp>
#include <chrono>

namespace omserve::scheduler {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr Instant kStart{std::chrono::hours(1)};

// Subgraphs of one gear; warm-up measured `alone` of each, 0: nothing.
class Device {
 public:
  explicit Device(const std::vector<milliseconds>& alone, const PairOptions& options = {.runs = 4})
      : table(options) {
    int subgraph = 0;
    for (const milliseconds cost : alone) {
      CostTable costs(1);
      if (cost > milliseconds(0)) {
        costs.Record(0, cost, kStart);
      }
      table.AddSubgraph(subgraph++, costs);
    }
  }

  // Both begin together, and take so long.
  void RunTogether(int a, milliseconds took_a, int b, milliseconds took_b, int times = 1) {
    for (int i = 0; i < times; ++i) {
      table.Begin(1, a, 0, now);
      table.Begin(2, b, 0, now);
      if (took_a < took_b) {
        table.End(1, took_a, true, now + took_a);
        table.End(2, took_b, true, now + took_b);
      } else {
        table.End(2, took_b, true, now + took_b);
        table.End(1, took_a, true, now + took_a);
      }
      now += std::max(took_a, took_b);
    }
  }
  void RunAlone(int s, milliseconds took, int times = 1) {
    for (int i = 0; i < times; ++i) {
      table.Begin(3, s, 0, now);
      now += took;
      table.End(3, took, true, now);
    }
  }

  PairTable table;
  Instant now = kStart;
};

// Two that want all of the same thing: each makes a third of its progress.
TEST_CASE("A pair that is slower together is kept apart") {
  Device device({milliseconds(10), milliseconds(10)});
  device.RunTogether(0, milliseconds(30), 1, milliseconds(30), 3);
  CHECK(device.table.verdicts().empty());
  CHECK_FALSE(device.table.Apart(0, 1));
  device.RunTogether(0, milliseconds(30), 1, milliseconds(30));
  REQUIRE(device.table.verdicts().size() == 1);
  const PairVerdict& verdict = device.table.verdicts()[0];
  CHECK(verdict.a == 0);
  CHECK(verdict.b == 1);
  CHECK(verdict.speed_a == Approx(1.0 / 3));
  CHECK(verdict.speed_b == Approx(1.0 / 3));
  CHECK(verdict.apart);
  CHECK(device.table.Apart(1, 0));
  CHECK(device.table.changes() == std::vector<std::pair<int, int>>{{0, 1}});
}

// One hardly slows down: taking turns would cost it more than the other gains.
TEST_CASE("A pair that gains by running together does so") {
  Device device({milliseconds(10), milliseconds(10)});
  device.RunTogether(0, milliseconds(11), 1, milliseconds(25), 4);
  REQUIRE(device.table.verdicts().size() == 1);
  CHECK_FALSE(device.table.verdicts()[0].apart);
  CHECK(device.table.verdicts()[0].speed_a == Approx(10.0 / 11));
  CHECK_FALSE(device.table.Apart(0, 1));
  CHECK(device.table.changes().empty());
}

// 40 ms, of which 30 beside the other: 10 alone and 30 at a third make 20.
TEST_CASE("Only the time beside the other one counts") {
  Device device({milliseconds(20), milliseconds(10)}, {.runs = 1});
  device.RunTogether(0, milliseconds(40), 1, milliseconds(30));
  REQUIRE(device.table.verdicts().size() == 1);
  CHECK(device.table.verdicts()[0].speed_a == Approx(1.0 / 3));
}

// Whose fault is it among three? Nothing is learned.
TEST_CASE("A crowd says nothing of pairs") {
  Device device({milliseconds(10), milliseconds(10), milliseconds(10)}, {.runs = 1});
  for (int i = 0; i < 10; ++i) {
    device.table.Begin(1, 0, 0, device.now);
    device.table.Begin(2, 1, 0, device.now);
    device.table.Begin(3, 2, 0, device.now + milliseconds(5));
    device.now += milliseconds(60);
    for (const BatchId batch : {BatchId{1}, BatchId{2}, BatchId{3}}) {
      device.table.End(batch, milliseconds(60), true, device.now);
    }
  }
  // One after the other beside the same batch.
  device.table.Begin(1, 0, 0, device.now);
  device.table.Begin(2, 1, 0, device.now);
  device.table.End(2, milliseconds(20), true, device.now + milliseconds(20));
  device.table.Begin(3, 2, 0, device.now + milliseconds(20));
  device.table.End(1, milliseconds(40), true, device.now + milliseconds(40));
  // Two batches of the same subgraph, on two lanes.
  device.table.End(3, milliseconds(40), false, device.now + milliseconds(60));
  device.now += milliseconds(60);
  device.RunTogether(1, milliseconds(60), 1, milliseconds(60), 4);
  CHECK(device.table.verdicts().empty());
}

TEST_CASE("A batch that failed says nothing") {
  Device device({milliseconds(10), milliseconds(10)}, {.runs = 1});
  for (int i = 0; i < 4; ++i) {
    device.table.Begin(1, 0, 0, device.now);
    device.table.Begin(2, 1, 0, device.now);
    device.now += milliseconds(60);
    device.table.End(1, milliseconds(60), false, device.now);
    device.table.End(2, milliseconds(60), false, device.now);
  }
  CHECK(device.table.verdicts().empty());
  device.table.End(7, milliseconds(60), true, device.now);  // It never began.
}

// What they take alone is not known, and both are always busy: kept apart until each ran 4 times
// alone, then measured.
TEST_CASE("A pair that never runs alone is tried apart") {
  Device device({milliseconds(0), milliseconds(0)});
  device.RunTogether(0, milliseconds(30), 1, milliseconds(30), 4);
  CHECK(device.table.verdicts().empty());
  REQUIRE(device.table.Apart(0, 1));
  device.RunAlone(0, milliseconds(10), 4);
  device.RunAlone(1, milliseconds(10), 3);
  CHECK(device.table.Apart(0, 1));
  device.RunAlone(1, milliseconds(10));
  CHECK_FALSE(device.table.Apart(0, 1));
  CHECK(device.table.changes().size() == 2);
  device.RunTogether(0, milliseconds(30), 1, milliseconds(30), 4);
  CHECK(device.table.verdicts().size() == 1);
  CHECK(device.table.Apart(0, 1));
}

// The other one has gone: nobody is kept waiting for what is never measured.
TEST_CASE("A trial ends") {
  Device device({milliseconds(0), milliseconds(0)}, {.runs = 4, .longest_trial = seconds(1)});
  device.RunTogether(0, milliseconds(30), 1, milliseconds(30), 4);
  REQUIRE(device.table.Apart(0, 1));
  device.RunAlone(0, milliseconds(300), 4);
  CHECK_FALSE(device.table.Apart(0, 1));
  // And is not begun again at once, though little was learned of one of them.
  device.RunTogether(0, milliseconds(30), 1, milliseconds(30), 40);
  CHECK_FALSE(device.table.Apart(0, 1));
  CHECK(device.table.verdicts().empty());
}

// What made them slow is over: after a while they are tried together again.
TEST_CASE("A verdict is measured again") {
  Device device({milliseconds(10), milliseconds(10)}, {.runs = 4, .valid = seconds(5)});
  device.RunTogether(0, milliseconds(30), 1, milliseconds(30), 4);
  REQUIRE(device.table.Apart(0, 1));
  device.RunAlone(0, milliseconds(10), 200);
  device.RunAlone(1, milliseconds(10), 200);
  CHECK(device.table.Apart(0, 1));
  device.RunAlone(0, milliseconds(10), 100);
  CHECK_FALSE(device.table.Apart(0, 1));
  device.RunTogether(0, milliseconds(10), 1, milliseconds(10), 4);
  CHECK_FALSE(device.table.Apart(0, 1));
  REQUIRE(device.table.verdicts().size() == 2);
  CHECK(device.table.verdicts()[1].speed_a == Approx(1));
  // That holds for a while too: a bad moment changes nothing.
  device.RunTogether(0, milliseconds(90), 1, milliseconds(90), 20);
  CHECK_FALSE(device.table.Apart(0, 1));
}

// Warm-up's figure is as old as the first batch, and one that is old says nothing.
TEST_CASE("What a batch takes alone is forgotten") {
  Device device({milliseconds(10), milliseconds(10)}, {.runs = 4, .valid = seconds(5)});
  device.RunAlone(0, milliseconds(10));
  device.RunAlone(1, milliseconds(10));
  device.now += seconds(6);
  device.RunTogether(0, milliseconds(30), 1, milliseconds(30), 3);
  CHECK_FALSE(device.table.Apart(0, 1));
  device.RunTogether(0, milliseconds(30), 1, milliseconds(30));
  CHECK(device.table.verdicts().empty());
  CHECK(device.table.Apart(0, 1));  // A trial.
}

TEST_CASE("Nothing is measured where it is switched off") {
  Device device({milliseconds(10), milliseconds(10)}, {.runs = 0});
  device.RunTogether(0, milliseconds(90), 1, milliseconds(90), 100);
  CHECK(device.table.verdicts().empty());
  CHECK_FALSE(device.table.Apart(0, 1));
}

}  // namespace
}  // namespace omserve::scheduler
