// SPDX-License-Identifier: Apache-2.0
// One family of samples under construction, for the files that make metrics.
#pragma once

#include <prometheus/metric_family.h>

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace omserve::server {

using Labels = std::vector<prometheus::ClientMetric::Label>;

// Those of a model version.
inline Labels LabelsOf(const std::string& model, int64_t version) {
  return {{"model", model}, {"version", std::to_string(version)}};
}

class Family final {
 public:
  Family(prometheus::MetricType type, std::string name, std::string help) {
    family_.type = type;
    family_.name = std::move(name);
    family_.help = std::move(help);
  }

  void Add(Labels labels, double value) {
    prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    // One of the two is written, by the family's type.
    metric.counter.value = value;
    metric.gauge.value = value;
    family_.metric.push_back(std::move(metric));
  }
  // `counts` of each bucket by itself; the last one, beyond all bounds, has none.
  void AddHistogram(Labels labels, std::span<const double> bounds, std::span<const uint64_t> counts,
                    double sum) {
    prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    uint64_t below = 0;
    for (size_t i = 0; i < counts.size(); ++i) {
      below += counts[i];
      metric.histogram.bucket.push_back(
          {.cumulative_count = below,
           .upper_bound = i < bounds.size() ? bounds[i] : std::numeric_limits<double>::infinity()});
    }
    metric.histogram.sample_count = below;
    metric.histogram.sample_sum = sum;
    family_.metric.push_back(std::move(metric));
  }
  // `quantiles`: each with its value.
  void AddSummary(Labels labels, std::span<const std::pair<double, double>> quantiles,
                  uint64_t count, double sum) {
    prometheus::ClientMetric metric;
    metric.label = std::move(labels);
    for (const auto& [quantile, value] : quantiles) {
      metric.summary.quantile.push_back({.quantile = quantile, .value = value});
    }
    metric.summary.sample_count = count;
    metric.summary.sample_sum = sum;
    family_.metric.push_back(std::move(metric));
  }
  bool empty() const { return family_.metric.empty(); }
  prometheus::MetricFamily Take() { return std::move(family_); }

 private:
  prometheus::MetricFamily family_;
};

}  // namespace omserve::server
