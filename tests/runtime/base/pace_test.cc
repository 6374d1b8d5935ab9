// SPDX-License-Identifier: Apache-2.0
// So many bytes a second, shared by all who take.
#include "runtime/base/pace.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>
#include <vector>

#include "runtime/base/arrival.h"
#include "runtime/base/thread.h"

namespace omserve {
namespace {

using std::chrono::milliseconds;

TEST_CASE("What was not used is kept for a second, and no more goes at once") {
  Clock& clock = SteadyClock();
  Pace pace(1'000'000, clock);
  const Clock::time_point start = clock.Now();
  pace.Take(1'000'000);
  pace.Take(50'000);
  pace.Take(50'000);
  CHECK(clock.Now() - start >= milliseconds(99));
}

TEST_CASE("Without a bound nobody waits, and who waits goes on when it is lifted") {
  Clock& clock = SteadyClock();
  Pace free(0, clock);
  free.Take(size_t{1} << 60);
  Pace slow(1, clock);
  std::vector<std::jthread> waiting;
  for (int i = 0; i < 4; ++i) {
    waiting.push_back(StartThread("waiting", [&] { slow.Take(1'000'000); }));
  }
  slow.Lift();
  waiting.clear();  // Joined.
  slow.Take(1'000'000);
}

TEST_CASE("Bytes are used as they come") {
  Arrival arrival;
  std::vector<int> bytes(1000);
  long sum = 0;  // NOLINT: as large as it needs to be.
  {
    const std::jthread reader = StartThread("reader", [&] {
      for (size_t i = 0; i < bytes.size(); ++i) {
        arrival.Await(i + 1);
        sum += bytes[i];
      }
    });
    for (size_t i = 0; i < bytes.size() / 2; ++i) {
      bytes[i] = 2;
      arrival.Reach(i + 1);
    }
    arrival.End();  // The rest stays as it is.
  }
  CHECK(sum == 1000);
}

}  // namespace
}  // namespace omserve
