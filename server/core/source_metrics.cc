// SPDX-License-Identifier: Apache-2.0
#include "server/core/source_metrics.h"

#include "server/core/metric_family.h"

namespace omserve::server {

using prometheus::MetricType;

void AddSourceFamilies(const SourceFetcher& fetcher,
                       std::vector<prometheus::MetricFamily>& families) {
  const std::vector<const SourceCounters*> sources = fetcher.counters();
  const auto add = [&](MetricType type, const char* name, const char* help, const auto& value) {
    Family family(type, name, help);
    for (const SourceCounters* source : sources) {
      family.Add({{"source", source->url}, {"folder", source->folder}}, value(*source));
    }
    families.push_back(family.Take());
  };
  const auto count = [&](const char* name, const char* help,
                         std::atomic<uint64_t> SourceCounters::*counter) {
    add(MetricType::Counter, name, help, [counter](const SourceCounters& source) {
      return static_cast<double>((source.*counter).load(std::memory_order_relaxed));
    });
  };
  count("omserve_source_fetched_bytes_total", "Bytes that came from the source",
        &SourceCounters::bytes);
  count("omserve_source_files_total", "Files that were brought and became visible",
        &SourceCounters::files);
  count("omserve_source_versions_total", "Versions of models that were brought",
        &SourceCounters::versions);
  count("omserve_source_removals_total",
        "Versions, models and files that were removed, as the source had them no more",
        &SourceCounters::removed);
  count("omserve_source_failures_total", "Looks at the source after which not all was there",
        &SourceCounters::failures);
  add(MetricType::Gauge, "omserve_source_last_success_timestamp_seconds",
      "When all that the source had was there, in seconds since the epoch; 0: never",
      [](const SourceCounters& source) {
        constexpr double kMillisecondsInSecond = 1000;
        return static_cast<double>(source.last_success_ms.load(std::memory_order_relaxed)) /
               kMillisecondsInSecond;
      });
}

}  // namespace omserve::server
