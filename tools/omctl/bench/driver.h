// SPDX-License-Identifier: Apache-2.0
// Puts one load on the server, measures it in windows, and stops.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/clock.h"
#include "tools/omctl/bench/load.h"
#include "tools/omctl/bench/transport.h"
#include "tools/omctl/bench/window.h"

namespace omserve::bench {

// A closed loop keeps `concurrency` requests in flight: each answer is followed by the next
// request. An open loop sends `rate` requests a second, whatever the server does; that is how
// independent clients behave, and the only load under which a slow server shows all its latency.
struct LoadPoint {
  int concurrency = 0;  // 0: an open loop.
  double rate = 0;
  Arrivals arrivals = Arrivals::kPoisson;
  uint64_t seed = 1;
  // Of an open loop. What is due beyond waits in the client, and its corrected latency with it.
  int max_in_flight = 1024;

  bool open() const { return concurrency == 0; }
  int calls() const { return open() ? max_in_flight : concurrency; }
};

struct MeasureOptions {
  Clock::duration warm_up = std::chrono::seconds(1);
  Clock::duration window = std::chrono::seconds(1);
  int max_windows = 10;
  Clock::duration duration{0};  // 0: until the windows agree; else just so long.
  double tolerance = 0.1;
  Clock::duration deadline{0};  // What counts as good; 0: every success.
};

struct PointResult {
  LoadPoint load;
  std::vector<Window> windows;  // All of them, in order.
  Window measured;              // Those that count: all of a duration, else the last three.
  bool stable = false;
  int unanswered = 0;  // In flight when measuring ended; no statistic has them.
};

// The collaborators of a measurement; they outlive it.
struct Collaborators {
  Clock& clock;
  std::function<absl::StatusOr<std::unique_ptr<Transport>>(int calls, Transport::OnDone)> connect;
  std::function<absl::StatusOr<ServerStages>()> read_server;
  // A window is over: its number from 1.
  std::function<void(int, const Window&)> progress;
};

// Blocks. Errors: the transport's; that of the server's counters; the first failure's when not one
// request of the first window succeeded.
absl::StatusOr<PointResult> Measure(const Collaborators& with, const LoadPoint& load,
                                    const MeasureOptions& options);

}  // namespace omserve::bench
