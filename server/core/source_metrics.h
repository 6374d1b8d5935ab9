// SPDX-License-Identifier: Apache-2.0
// What came from the sources of models, as metrics.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "server/core/source_fetcher.h"

namespace omserve::server {

void AddSourceFamilies(const SourceFetcher& fetcher,
                       std::vector<prometheus::MetricFamily>& families);

}  // namespace omserve::server
