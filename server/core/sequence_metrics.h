// SPDX-License-Identifier: Apache-2.0
// What there is to measure of sequences: how many have a slot or wait for one, and how they end.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "scheduler/engine.h"
#include "server/core/catalog.h"

namespace omserve::server {

// One sample per model version that keeps sequences, of all devices together. `loads` by place.
void AddSequenceFamilies(const std::vector<CatalogEntry>& entries,
                         const std::vector<scheduler::Engine::Load>& loads,
                         std::vector<prometheus::MetricFamily>& families);

}  // namespace omserve::server
