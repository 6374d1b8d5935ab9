// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/pace.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "tests/scheduler/fake_clock.h"
#include "tests/status_test_util.h"

namespace omserve::source {
namespace {

// Ten seconds' worth of bytes takes ten seconds of the clock; without a limit none.
TEST_CASE("Pace: the limit holds") {
  FakeClock clock;
  Pace free(0, clock);
  REQUIRE_OK(free.Take(UINT64_MAX, {}));
  Pace pace(1000, clock);
  const Clock::time_point begin = clock.Now();
  std::jthread time([&clock](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      clock.Advance(std::chrono::milliseconds(1));
    }
  });
  for (int i = 0; i < 20; ++i) {
    REQUIRE_OK(pace.Take(500, {}));
  }
  const auto taken = clock.Now() - begin;
  time.request_stop();
  time.join();
  CHECK(taken >= std::chrono::seconds(10));
}

// A wait of hours ends with the stop.
TEST_CASE("Pace: a stop wakes") {
  Pace pace(1, SteadyClock());
  std::stop_source stop;
  std::jthread stopper([&stop] { stop.request_stop(); });
  CHECK(absl::IsCancelled(pace.Take(1'000'000, stop.get_token())));
}

}  // namespace
}  // namespace omserve::source
