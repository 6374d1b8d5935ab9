// SPDX-License-Identifier: Apache-2.0
// Triton's summaries: quantiles of the last minute, for dashboards made for them. They are computed
// from the histograms that are kept anyway, when they are asked for: a request pays nothing.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "prometheus/metric_family.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "server/core/catalog.h"
#include "server/core/model_statistics.h"

namespace omserve::server {

// Thread-safe. `clock` outlives it.
class Summaries final {
 public:
  using Key = std::pair<std::string, int64_t>;  // Name and version.

  // `quantiles`: from 0 to 1; empty: there are no summaries.
  Summaries(std::vector<double> quantiles, const Clock& clock);

  // nv_inference_*_summary_us of the models that are served, and nv_cache_*_summary_per_model of
  // those whose answers are kept. Quantiles are of the last minute and up to one interval between
  // calls more (12 s at least), or since the start where that is less; they are right to within 5 %
  // up to 128 s, and NaN where nothing happened. Counts and sums are since the start.
  void AddFamilies(const std::vector<ModelStatistics>& models,
                   const std::vector<CatalogEntry>& entries,
                   std::vector<prometheus::MetricFamily>& families) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // What was counted then: by model, by series, some 1.7 KB each; seven looks at most.
  struct Look {
    Clock::time_point when;
    std::map<Key, std::vector<ExponentialHistogram>> models;
  };
  // What the quantiles are counted from.
  const Look& BeginLocked(Clock::time_point now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Constant after construction.
  const std::vector<double> quantiles_;
  const Clock& clock_;

  Mutex mu_;
  std::deque<Look> looks_ ABSL_GUARDED_BY(mu_);  // The first is 60 s old, or the oldest.
};

}  // namespace omserve::server
