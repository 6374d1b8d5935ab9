// SPDX-License-Identifier: Apache-2.0
// What there is to measure of streams that hung and devices that were lost (device_recovery.h).
#pragma once

#include <prometheus/metric_family.h>

#include <memory>
#include <vector>

#include "server/core/device_recovery.h"

namespace omserve::server {

void AddRecoveryFamilies(const std::vector<std::unique_ptr<DeviceRecovery>>& recovery,
                         std::vector<prometheus::MetricFamily>& families);

}  // namespace omserve::server
