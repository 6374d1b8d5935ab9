// SPDX-License-Identifier: Apache-2.0
// Triton's histogram of the time to the first answer.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "server/core/catalog.h"
#include "server/core/model_statistics.h"

namespace omserve::server {

inline constexpr char kFirstResponseFamily[] = "nv_inference_first_response_histogram_ms";

// Of the models that are served. Its bounds are 100, 500, 2000 and 5000 ms, or those of the model's
// model_metrics. How many were
// within a bound is known to within 9 % of the bound: durations are kept in buckets that wide.
void AddFirstResponseFamily(const std::vector<ModelStatistics>& models,
                            const std::vector<CatalogEntry>& entries,
                            std::vector<prometheus::MetricFamily>& families);

}  // namespace omserve::server
