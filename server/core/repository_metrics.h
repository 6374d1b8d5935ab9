// SPDX-License-Identifier: Apache-2.0
// What became of the repository's models, as metrics.
#pragma once

#include <prometheus/metric_family.h>

#include <map>
#include <string>
#include <vector>

#include "server/core/catalog.h"
#include "server/core/model_repository.h"

namespace omserve::server {

// `unloading`: loads that nobody holds and that are not freed yet.
void AddRepositoryFamilies(const ModelRepository& repository,
                           const std::vector<CatalogEntry>& entries,
                           const std::map<std::string, TransitionCounts>& transitions,
                           size_t unloading, std::vector<prometheus::MetricFamily>& families);

}  // namespace omserve::server
