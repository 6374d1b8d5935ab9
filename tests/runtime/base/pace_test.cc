// SPDX-License-Identifier: Apache-2.0
// Bytes no faster than a limit, and bytes that are used as they come.
#include "runtime/base/pace.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <chrono>
#include <thread>
#include <vector>

#include "runtime/base/arrival.h"
#include "runtime/base/thread.h"
#include "tests/scheduler/fake_clock.h"
#include "tests/status_test_util.h"

namespace omserve {
namespace {

using std::chrono::milliseconds;

// Ten seconds' worth of bytes takes ten seconds of the clock; without a limit none.
TEST_CASE("Pace: the limit holds") {
  FakeClock clock;
  Pace free(0, clock);
  REQUIRE_OK(free.Take(UINT64_MAX));
  Pace pace(1000, clock);
  const Clock::time_point begin = clock.Now();
  std::jthread time([&clock](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      clock.Advance(milliseconds(1));
    }
  });
  for (int i = 0; i < 20; ++i) {
    REQUIRE_OK(pace.Take(500));
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
  const std::jthread stopper([&stop] { stop.request_stop(); });
  CHECK(absl::IsCancelled(pace.Take(1'000'000, stop.get_token())));
}

TEST_CASE("Pace: who waits goes on when the limit is lifted") {
  Pace slow(1, SteadyClock());
  std::atomic<int> gone_on{0};
  std::vector<std::jthread> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.push_back(
        StartThread("waiting", [&] { gone_on += slow.Take(1'000'000).ok() ? 1 : 0; }));
  }
  slow.Lift();
  waiting.clear();  // Joined.
  CHECK(gone_on == 4);
  REQUIRE_OK(slow.Take(1'000'000));
}

TEST_CASE("Bytes are used as they come") {
  Arrival arrival;
  std::vector<int> bytes(1000);
  long sum = 0;  // NOLINT: as large as it needs to be.
  {
    const std::jthread reader = StartThread("reader", [&] {
      for (size_t i = 0; i < bytes.size() && arrival.Await(i + 1); ++i) {
        sum += bytes[i];
      }
    });
    for (size_t i = 0; i < bytes.size() / 2; ++i) {
      bytes[i] = 2;
      arrival.Reach(i + 1);
    }
    arrival.End();  // The rest does not come.
  }
  CHECK(sum == 1000);
}

}  // namespace
}  // namespace omserve
