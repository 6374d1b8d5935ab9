// SPDX-License-Identifier: Apache-2.0
// The devices' health as metrics: under omserve's names, and of chips also under those of Huawei's
// npu-exporter, so that what is drawn from that can be drawn from here. docs/metrics.md lists them.
#pragma once

#include <prometheus/metric_family.h>

#include <optional>
#include <vector>

#include "runtime/base/clock.h"
#include "runtime/health/device_health.h"

namespace omserve::server {

// Appends the families that have a value; none without a report. Gauges all of them.
//
// Source: the npu_* names, labels and units are those of npu-exporter 6; of its labels `id` and
// `model_name` are here, the others name containers, which is its business.
void AddDeviceFamilies(const std::optional<health::HealthReport>& report, Clock::time_point now,
                       std::vector<prometheus::MetricFamily>& families);

}  // namespace omserve::server
