// SPDX-License-Identifier: Apache-2.0
// A benchmark's results as a picture. Pure.
#pragma once

#include <span>
#include <string>

#include "tools/omctl/bench/report.h"

namespace omserve::bench {

// An SVG of three panels over the loads: percentiles of the latency, throughput, and the mean time
// of a request by where it went. Requires at least one result.
std::string ToSvg(const Subject& subject, std::span<const PointResult> results);

}  // namespace omserve::bench
