// SPDX-License-Identifier: Apache-2.0
#include "tools/omctl/bench/window.h"

#include <catch2/catch.hpp>
#include <vector>

namespace omserve::bench {
namespace {

using namespace std::chrono_literals;  // NOLINT: durations as people write them.

constexpr Clock::time_point kStart{1h};

Window WindowOf(int requests, Clock::duration latency) {
  Window window{.length = 1s};
  for (int i = 0; i < requests; ++i) {
    window.Record({.intended = kStart, .sent = kStart, .done = kStart + latency}, 0s);
  }
  return window;
}

// Each request is counted where it belongs: latency from sending and from when it was due, success
// within the deadline, failures by code with the first message.
TEST_CASE("Window: what is counted") {
  Window window{.length = 2s};
  window.Record({.intended = kStart, .sent = kStart + 3ms, .done = kStart + 5ms}, 10ms);
  window.Record({.intended = kStart, .sent = kStart + 10ms, .done = kStart + 11ms}, 10ms);
  for (const char* message : {"first", "second"}) {
    window.Record({.intended = kStart,
                   .sent = kStart,
                   .done = kStart + 1ms,
                   .status = absl::UnavailableError(message)},
                  10ms);
  }
  CHECK(window.ok() == 2);
  CHECK(window.good == 1);
  CHECK(window.failed() == 2);
  CHECK(window.PerSecond(window.ok()) == 1.0);
  CHECK(window.service.max() == 2ms);
  CHECK(window.corrected.max() == 11ms);
  CHECK(window.late.max() == 10ms);
  CHECK(window.late.count() == 4);
  const Failures& failure = window.failures.at(absl::StatusCode::kUnavailable);
  CHECK(failure.count == 2);
  CHECK(failure.first_message == "first");
}

// Windows joined: counts add up, and the first message stays.
TEST_CASE("Window: joined") {
  Window a = WindowOf(10, 1ms);
  Window b = WindowOf(20, 3ms);
  b.Record({.status = absl::InternalError("why")}, 0s);
  b.server = {.requests = 20, .total_ns = 100, .queue_ns = 60, .compute_ns = 40};
  a.Add(b);
  CHECK(a.ok() == 30);
  CHECK(a.length == 2s);
  CHECK(a.service.max() == 3ms);
  CHECK(a.failures.at(absl::StatusCode::kInternal).first_message == "why");
  CHECK(a.server.requests == 20);
  CHECK(a.server.Error() == 0);
}

// Counters that only grow, and a server that was started anew.
TEST_CASE("ServerStages: what came since") {
  const ServerStages earlier{.requests = 10, .total_ns = 1000, .queue_ns = 400};
  const ServerStages later{.requests = 30, .total_ns = 1500, .queue_ns = 600, .compute_ns = 290};
  const ServerStages since = later.Since(earlier);
  CHECK(since.requests == 20);
  CHECK(since.total_ns == 500);
  CHECK(since.sum_ns() == 490);
  CHECK(since.Error() == Approx(-0.02));
  CHECK(earlier.Since(later).requests == 0);
}

// Three windows within 10 % of their mean, in throughput and latency, are stable; the ones before
// them do not matter.
TEST_CASE("IsStable") {
  const Window good = WindowOf(1000, 2ms);
  const Window faster = WindowOf(1090, 2ms);
  const Window slower = WindowOf(1000, 3ms);
  const Window few = WindowOf(500, 2ms);
  CHECK_FALSE(IsStable(std::vector<Window>{}, 0.1));
  CHECK_FALSE(IsStable(std::vector<Window>{good, good}, 0.1));
  CHECK(IsStable(std::vector<Window>{good, good, good}, 0.1));
  CHECK(IsStable(std::vector<Window>{few, good, faster, good}, 0.1));
  CHECK_FALSE(IsStable(std::vector<Window>{good, few, good}, 0.1));
  CHECK_FALSE(IsStable(std::vector<Window>{good, good, slower}, 0.1));
  const Window none{.length = 1s};
  CHECK_FALSE(IsStable(std::vector<Window>{none, none, none}, 0.1));
}

}  // namespace
}  // namespace omserve::bench
