// SPDX-License-Identifier: Apache-2.0
#include "server/core/first_response_metrics.h"

#include <string>

#include "server/core/metric_family.h"

namespace omserve::server {
namespace {

constexpr double kMsPerSecond = 1000.0;

// Null where it is not served.
const Model* ModelOf(const ModelStatistics& statistics, const std::vector<CatalogEntry>& entries) {
  for (const CatalogEntry& entry : entries) {
    if (entry.model != nullptr && entry.name == statistics.name &&
        entry.version == statistics.version) {
      return entry.model.get();
    }
  }
  return nullptr;
}

std::vector<double> BoundsOf(const Model& model) {
  for (const auto& control : model.config.model_metrics().metric_control()) {
    const auto& buckets = control.histogram_options().buckets();
    if (control.metric_identifier().family() == kFirstResponseFamily && !buckets.empty()) {
      return {buckets.begin(), buckets.end()};
    }
  }
  return {100, 500, 2000, 5000};
}

// Of each bucket by itself; the last one is beyond all bounds.
std::vector<uint64_t> CountsWithin(const ExponentialHistogram& times,
                                   const std::vector<double>& bounds_ms) {
  std::vector<uint64_t> counts(bounds_ms.size() + 1);
  counts.front() = times.zero_count;
  for (size_t i = 0; i < times.buckets.size(); ++i) {
    const double end_ms =
        ExponentialHistogram::EndOf(static_cast<int>(i) + ExponentialHistogram::kFirst) *
        kMsPerSecond;
    size_t bound = 0;
    while (bound < bounds_ms.size() && end_ms > bounds_ms[bound]) {
      ++bound;
    }
    counts[bound] += times.buckets[i];
  }
  return counts;
}

}  // namespace

void AddFirstResponseFamily(const std::vector<ModelStatistics>& models,
                            const std::vector<CatalogEntry>& entries,
                            std::vector<prometheus::MetricFamily>& families) {
  Family family(prometheus::MetricType::Histogram, kFirstResponseFamily,
                "Duration from request to first response in milliseconds");
  for (const ModelStatistics& statistics : models) {
    const Model* model = ModelOf(statistics, entries);
    if (model == nullptr) {
      continue;  // Its bounds are not known.
    }
    const std::vector<double> bounds = BoundsOf(*model);
    const DurationHistogram& times =
        IsDecoupled(*model) ? statistics.first_answer : statistics.stages.total;
    family.AddHistogram(LabelsOf(statistics.name, statistics.version), bounds,
                        CountsWithin(times.exponential, bounds),
                        static_cast<double>(times.sum_ns) / 1e6);
  }
  families.push_back(family.Take());
}

}  // namespace omserve::server
