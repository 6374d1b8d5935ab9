// SPDX-License-Identifier: Apache-2.0
// Metrics in the formats that scrapers ask for. Pure.
//
// Source: Prometheus' text format 0.0.4, OpenMetrics 1.0 and Prometheus' protobuf format. The last
// two carry exemplars, the last one native histograms.
#pragma once

#include <prometheus/metric_family.h>

#include <string>
#include <string_view>
#include <vector>

#include "server/core/model_statistics.h"

namespace omserve::server {

struct Exposition {
  std::vector<prometheus::MetricFamily> families;
  // What these formats know besides, of the histograms of one family, by its metrics.
  std::string histogram_family;
  std::vector<DurationHistogram> histograms;
};

enum class MetricsFormat { kText, kOpenMetrics, kProtobuf };

// By the header Accept: protobuf where it is named, else OpenMetrics where that is, else text.
MetricsFormat FormatFor(std::string_view accept);
std::string_view ContentTypeOf(MetricsFormat format);  // Of a constant.

std::string Render(const Exposition& exposition, MetricsFormat format);

}  // namespace omserve::server
