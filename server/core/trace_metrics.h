// SPDX-License-Identifier: Apache-2.0
// What there is to measure of tracing: what is recorded, and what is lost of it.
#pragma once

#include <prometheus/metric_family.h>

#include <vector>

#include "server/core/tracing/tracer.h"

namespace omserve::server {

void AddTraceFamilies(const Tracer& tracer, std::vector<prometheus::MetricFamily>& families);

}  // namespace omserve::server
