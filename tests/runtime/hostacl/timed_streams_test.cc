// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/hostacl/timed_streams.h"

#include <catch2/catch.hpp>

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

}  // namespace
}  // namespace omserve::hostacl
