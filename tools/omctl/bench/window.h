// SPDX-License-Identifier: Apache-2.0
// What was measured in a stretch of time, and when measuring may end. Pure.
#pragma once

#include <map>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "runtime/base/clock.h"
#include "tools/omctl/bench/histogram.h"

namespace omserve::bench {

// One request that ended.
struct Sample {
  Clock::time_point intended;  // When it was due; in a closed loop, when it was sent.
  Clock::time_point sent;
  Clock::time_point done;
  absl::Status status;
};

// Where the server's time went, over some successful requests of the model.
struct ServerStages {
  uint64_t requests = 0;
  // Sums in nanoseconds.
  uint64_t total_ns = 0;
  uint64_t queue_ns = 0;
  uint64_t input_ns = 0;
  uint64_t compute_ns = 0;
  uint64_t output_ns = 0;
  uint64_t overhead_ns = 0;
  uint64_t rows = 0;
  uint64_t executions = 0;

  uint64_t sum_ns() const { return queue_ns + input_ns + compute_ns + output_ns + overhead_ns; }
  // How far the stages are from the total, as a share of it; 0 without requests.
  double Error() const;
  void Add(const ServerStages& other);
  // Of counters that only grow: what came since `earlier`.
  ServerStages Since(const ServerStages& earlier) const;
};

struct Failures {
  uint64_t count = 0;
  std::string first_message;
};

struct Window {
  // `deadline` from the intended instant; 0: none.
  void Record(const Sample& sample, Clock::duration deadline);
  void Add(const Window& other);

  uint64_t ok() const { return service.count(); }
  uint64_t failed() const;
  double PerSecond(uint64_t count) const;

  Clock::duration length{0};
  Histogram service;    // Of successful requests: from sent to done.
  Histogram corrected;  // The same from the instant when they were due.
  Histogram late;       // Of all requests: how much after that instant they were sent.
  uint64_t good = 0;    // Successful within the deadline.
  std::map<absl::StatusCode, Failures> failures;
  ServerStages server;
  Clock::duration client_cpu{0};      // Of the whole client.
  Clock::duration busiest_thread{0};  // CPU time of the thread that worked most.
};

// True when the last `kStableWindows` agree: throughput and the 90th percentile of each lie within
// `tolerance` (0.1: 10 %) of their mean. Windows in which nothing succeeded never agree.
inline constexpr size_t kStableWindows = 3;
bool IsStable(std::span<const Window> windows, double tolerance);

}  // namespace omserve::bench
