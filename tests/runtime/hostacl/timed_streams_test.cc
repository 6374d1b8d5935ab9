// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/hostacl/timed_streams.h"

#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

namespace omserve::hostacl {
namespace {

// 64 streams on 8 devices take what their costs and the contention for cores say: never less, and
// not much more although all of it happens on a few processors, which have next to nothing to do.
TEST_CASE("Many devices are busy without a processor") {
  const StreamsLoad load = {.devices = 8,
                            .streams = 8,
                            .executions = 10,
                            .cost = std::chrono::milliseconds(10),
                            .cores = 4};
  const StreamsRun run = RunStreams(load);
  CAPTURE(run.elapsed_ms, run.cpu_ms);
  CHECK(BoundMs(load) == 200);
  CHECK(run.elapsed_ms >= BoundMs(load));
  CHECK(run.elapsed_ms < BoundMs(load) * 2);
  CHECK(run.cpu_ms < run.elapsed_ms);
}

// The table of docs/timed-engine.md: `hostacl_timed_engine_test "[measure]"`.
TEST_CASE("What the timed engine itself takes", "[.measure]") {
  constexpr int kRuns = 5;
  fmt::print("devices streams executions cost_us cores | bound_ms elapsed_ms over% cpu_ms\n");
  for (const StreamsLoad& load : {StreamsLoad{1, 1, 200, std::chrono::microseconds(5000), 1},
                                  StreamsLoad{1, 8, 50, std::chrono::microseconds(5000), 8},
                                  StreamsLoad{8, 8, 50, std::chrono::microseconds(5000), 8},
                                  StreamsLoad{8, 8, 50, std::chrono::microseconds(5000), 4},
                                  StreamsLoad{8, 8, 50, std::chrono::microseconds(5000), 1},
                                  StreamsLoad{8, 8, 50, std::chrono::microseconds(20'000), 4},
                                  StreamsLoad{8, 8, 500, std::chrono::microseconds(900), 8}}) {
    std::vector<StreamsRun> runs;
    for (int i = 0; i < kRuns; ++i) {
      runs.push_back(RunStreams(load));
    }
    std::sort(runs.begin(), runs.end(),
              [](const StreamsRun& a, const StreamsRun& b) { return a.elapsed_ms < b.elapsed_ms; });
    const StreamsRun& median = runs[kRuns / 2];
    fmt::print("{:7} {:7} {:10} {:7} {:5} | {:8.1f} {:10.1f} {:5.2f} {:6.1f}\n", load.devices,
               load.streams, load.executions, load.cost.count(), load.cores, BoundMs(load),
               median.elapsed_ms, 100 * (median.elapsed_ms / BoundMs(load) - 1), median.cpu_ms);
  }
}

}  // namespace
}  // namespace omserve::hostacl
