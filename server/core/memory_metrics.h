// SPDX-License-Identifier: Apache-2.0
// What there is to measure of device memory: what models reserve of it, and what their batches use.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "scheduler/dispatcher.h"
#include "scheduler/engine.h"
#include "server/core/catalog.h"

namespace omserve::server {

// Samples of each device, and of each version of a compiled model on each. `loads` by place.
void AddMemoryFamilies(const std::vector<CatalogEntry>& entries,
                       const scheduler::Dispatcher& dispatcher,
                       const std::vector<scheduler::Engine::Load>& loads,
                       std::vector<prometheus::MetricFamily>& families);

}  // namespace omserve::server
