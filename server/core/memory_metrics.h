// SPDX-License-Identifier: Apache-2.0
// What there is to measure of memory: what models reserve on devices, what their batches use, and
// what is kept of their outputs.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <vector>

#include "scheduler/dispatcher.h"
#include "scheduler/engine.h"
#include "server/core/catalog.h"

namespace omserve::server {

// The label `device` of the device at a place.
std::string DeviceName(const scheduler::Dispatcher& dispatcher, size_t place);

// Samples of each device, of each version of a compiled model on each, and of each step that has a
// cache. `loads` by place.
void AddMemoryFamilies(const std::vector<CatalogEntry>& entries,
                       const scheduler::Dispatcher& dispatcher,
                       const std::vector<scheduler::Engine::Load>& loads,
                       std::vector<prometheus::MetricFamily>& families);

}  // namespace omserve::server
