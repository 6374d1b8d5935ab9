// SPDX-License-Identifier: Apache-2.0
// The labels that a model's configuration gives its samples (metric_tags).
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "server/core/catalog.h"

namespace omserve::server {

// Of every sample that has the labels model and version.
void AddMetricTags(const std::vector<CatalogEntry>& entries,
                   std::vector<prometheus::MetricFamily>& families);

}  // namespace omserve::server
