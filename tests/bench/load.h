// SPDX-License-Identifier: Apache-2.0
// Load for scheduler_bench: so many at a time, or at a rate, whatever becomes of the ones before.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <vector>

#include "absl/status/status.h"
#include "scheduler/core.h"

namespace omserve::bench {

// How one request ended.
struct Sample {
  scheduler::Instant due;  // When it was meant to be sent.
  scheduler::Instant end;
  absl::StatusCode code = absl::StatusCode::kOk;
  int kind = 0;  // The caller's.

  double LatencyMs() const { return std::chrono::duration<double, std::milli>(end - due).count(); }
};

// Sends one request; `done` runs exactly once, on any thread.
using Sender = std::function<void(std::function<void(const absl::Status&)> done)>;

// Keeps `concurrency` requests under way until `count` have ended. Blocks. The time that took, in
// seconds.
double RunClosedLoop(const Sender& send, int concurrency, int count);

// A stream of requests of one kind: at Poisson times of this mean rate, from `seed`.
struct Stream {
  int kind = 0;
  double per_second = 0;
  Sender send;
  uint64_t seed = 1;
};

// Sends all streams for `duration` and waits for the answers. A late sender does not shorten a
// latency: it counts from when the request was due. Blocks. Samples in no order.
std::vector<Sample> RunOpenLoop(const std::vector<Stream>& streams,
                                std::chrono::duration<double> duration);

// The value below which `share` of the values are; 0 of none.
double Quantile(std::vector<double> values, double share);

}  // namespace omserve::bench
