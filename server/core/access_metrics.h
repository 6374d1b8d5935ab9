// SPDX-License-Identifier: Apache-2.0
// What there is to measure of who was let in.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "server/core/auth/access_counters.h"

namespace omserve::server {

void AddAccessFamilies(const AccessCounters& counters,
                       std::vector<prometheus::MetricFamily>& families);

}  // namespace omserve::server
