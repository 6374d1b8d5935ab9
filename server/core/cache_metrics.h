// SPDX-License-Identifier: Apache-2.0
// What there is to measure of answers that are kept (response_cache.h).
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "server/core/catalog.h"
#include "server/core/response_cache.h"
#include "server/core/statistics.h"

namespace omserve::server {

// Triton's counters for each model version with a response_cache, and the state of the cache; of
// no cache (null), nothing.
void AddCacheFamilies(const ResponseCache* cache, const std::vector<CatalogEntry>& entries,
                      const std::vector<ModelStatistics>& models,
                      std::vector<prometheus::MetricFamily>& families);

}  // namespace omserve::server
