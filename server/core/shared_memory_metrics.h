// SPDX-License-Identifier: Apache-2.0
// What there is to measure of the memory that clients share (shared_memory.h).
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "server/core/shared_memory.h"

namespace omserve::server {

// Of no memory (null), nothing.
void AddSharedMemoryFamilies(const SharedMemory* memory,
                             std::vector<prometheus::MetricFamily>& families);

}  // namespace omserve::server
