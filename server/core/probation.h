// SPDX-License-Identifier: Apache-2.0
// Whether a load that has taken another one's place does worse than that one did. Pure.
#pragma once

#include <cstdint>
#include <string>

#include "proto/inference/model_config.pb.h"
#include "runtime/base/clock.h"
#include "server/core/model_statistics.h"

namespace omserve::server {

// See ModelReplacement.Probation.
struct ProbationBounds {
  Clock::duration duration{0};  // 0: there is no probation.
  uint64_t min_requests = 20;
  double max_added_failures = 0.05;  // Of all requests, beyond the share of those before.
  double max_latency_ratio = 0;      // 0: not looked at.
};

ProbationBounds BoundsOf(const inference::ModelReplacement& replacement);

// What became of requests that the model can be blamed for: those that failed on the device or were
// not answered in time, not those that were bad, cancelled or refused.
struct ServedCounts {
  uint64_t succeeded = 0;
  uint64_t failed = 0;
  uint64_t success_ns = 0;  // From arrival to answer, of all that succeeded.

  uint64_t requests() const { return succeeded + failed; }
};

ServedCounts CountsOf(const ModelStatistics& statistics);
// Of `now` what `before` has not yet. Requires that they were counted in this order.
ServedCounts Since(const ServedCounts& before, const ServedCounts& now);

// In which way `now` is too bad, held against `before`; empty where it is not, or where too few
// requests came to tell. Where too few came before, nothing is held against how long those took.
std::string FindWorse(const ProbationBounds& bounds, const ServedCounts& before,
                      const ServedCounts& now);

}  // namespace omserve::server
