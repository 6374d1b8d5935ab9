// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_limits.h"

#include <catch2/catch.hpp>
#include <chrono>

namespace omserve::server {
namespace {

using std::chrono::seconds;

// One that keeps to the rate may take as long as it likes; one that stops after a fast beginning is
// noticed within two windows.
TEST_CASE("Transfer pace", "[protocol]") {
  HttpLimits limits;
  limits.slow_after = seconds(10);
  limits.least_bytes_per_second = 100;
  const Clock::time_point start{seconds(1000)};
  TransferPace pace;
  pace.Start(start);
  CHECK_FALSE(pace.IsTooSlow(start + seconds(9), 0, limits));
  CHECK_FALSE(pace.IsDue(start + seconds(9), limits));
  for (int window = 1; window <= 100; ++window) {
    CHECK(pace.IsDue(start + seconds(10 * window), limits));
    CHECK_FALSE(pace.IsTooSlow(start + seconds(10 * window), 1000 * window, limits));
  }
  CHECK_FALSE(pace.IsTooSlow(start + seconds(1009), 100'000, limits));
  CHECK(pace.IsTooSlow(start + seconds(1010), 100'999, limits));
  pace.Start(start);
  CHECK_FALSE(pace.IsTooSlow(start + seconds(10), 1 << 30, limits));
  CHECK(pace.IsTooSlow(start + seconds(20), 1 << 30, limits));
  limits.least_bytes_per_second = 0;
  pace.Start(start);
  CHECK_FALSE(pace.IsTooSlow(start + seconds(1000), 0, limits));
}

}  // namespace
}  // namespace omserve::server
