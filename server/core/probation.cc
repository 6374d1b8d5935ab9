// SPDX-License-Identifier: Apache-2.0
#include "server/core/probation.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

namespace omserve::server {
namespace {

constexpr uint64_t kMostSeconds = 30 * 86'400;

double FailedShare(const ServedCounts& counts) {
  return counts.requests() == 0
             ? 0
             : static_cast<double>(counts.failed) / static_cast<double>(counts.requests());
}

double MeanMs(const ServedCounts& counts) {
  return static_cast<double>(counts.success_ns) / static_cast<double>(counts.succeeded) / 1e6;
}

}  // namespace

ProbationBounds BoundsOf(const inference::ModelReplacement& replacement) {
  const inference::ModelReplacement::Probation& probation = replacement.probation();
  ProbationBounds bounds;
  bounds.duration = std::chrono::seconds(
      static_cast<int64_t>(std::min(probation.duration_seconds(), kMostSeconds)));
  if (probation.min_requests() > 0) {
    bounds.min_requests = probation.min_requests();
  }
  if (probation.max_added_failures_percent() > 0) {
    bounds.max_added_failures = probation.max_added_failures_percent() / 100;
  }
  bounds.max_latency_ratio = probation.max_latency_ratio();
  return bounds;
}

ServedCounts CountsOf(const ModelStatistics& statistics) {
  const auto backend = static_cast<size_t>(FailReason::kBackend);
  return {.succeeded = statistics.success.count,
          .failed = statistics.fail_by_reason.at(backend) + statistics.expired_running,
          .success_ns = statistics.success.ns};
}

ServedCounts Since(const ServedCounts& before, const ServedCounts& now) {
  return {.succeeded = now.succeeded - before.succeeded,
          .failed = now.failed - before.failed,
          .success_ns = now.success_ns - before.success_ns};
}

std::string FindWorse(const ProbationBounds& bounds, const ServedCounts& before,
                      const ServedCounts& now) {
  if (now.requests() < bounds.min_requests) {
    return "";
  }
  const double failed = FailedShare(now);
  const double allowed = FailedShare(before) + bounds.max_added_failures;
  if (failed > allowed) {
    return fmt::format("{} of {} requests failed, {:.1f} %, where {:.1f} % were allowed",
                       now.failed, now.requests(), 100 * failed, 100 * allowed);
  }
  if (bounds.max_latency_ratio > 0 && before.succeeded >= bounds.min_requests &&
      now.succeeded >= bounds.min_requests &&
      MeanMs(now) > bounds.max_latency_ratio * MeanMs(before)) {
    return fmt::format(
        "requests take {:.3f} ms, where those before took {:.3f} ms and {:g} times "
        "as long was allowed",
        MeanMs(now), MeanMs(before), bounds.max_latency_ratio);
  }
  return "";
}

}  // namespace omserve::server
