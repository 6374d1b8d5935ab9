// SPDX-License-Identifier: Apache-2.0
#include "server/core/cache_metrics.h"

#include <algorithm>
#include <string>

#include "server/core/metric_family.h"

namespace omserve::server {

using prometheus::MetricType;

namespace {

constexpr double kNsPerUs = 1e3;

bool UsesCache(const std::vector<CatalogEntry>& entries, const ModelStatistics& model) {
  return std::any_of(entries.begin(), entries.end(), [&model](const CatalogEntry& entry) {
    return entry.model != nullptr && entry.name == model.name && entry.version == model.version &&
           entry.model->config.response_cache().enable();
  });
}

}  // namespace

void AddCacheFamilies(const ResponseCache* cache, const std::vector<CatalogEntry>& entries,
                      const std::vector<ModelStatistics>& models,
                      std::vector<prometheus::MetricFamily>& families) {
  if (cache == nullptr) {
    return;
  }
  Family hits(MetricType::Counter, "nv_cache_num_hits_per_model",
              "Number of requests answered with what was kept");
  Family misses(MetricType::Counter, "nv_cache_num_misses_per_model",
                "Number of requests of which nothing was kept");
  Family hit_time(MetricType::Counter, "nv_cache_hit_duration_per_model",
                  "Cumulative time of looking up what was kept, in microseconds");
  Family miss_time(MetricType::Counter, "nv_cache_miss_duration_per_model",
                   "Cumulative time of looking up in vain and of keeping, in microseconds");
  for (const ModelStatistics& model : models) {
    if (UsesCache(entries, model)) {
      const Labels labels = LabelsOf(model.name, model.version);
      hits.Add(labels, static_cast<double>(model.cache_hit.count));
      misses.Add(labels, static_cast<double>(model.cache_miss.count));
      hit_time.Add(labels, static_cast<double>(model.cache_hit.ns) / kNsPerUs);
      miss_time.Add(labels, static_cast<double>(model.cache_miss.ns) / kNsPerUs);
    }
  }
  for (Family* family : {&hits, &misses, &hit_time, &miss_time}) {
    if (!family->empty()) {
      families.push_back(family->Take());
    }
  }
  const scheduler::CacheCounts counts = cache->counts();
  const auto one = [&families](MetricType type, const char* name, const char* help, auto value) {
    Family family(type, name, help);
    family.Add({}, static_cast<double>(value));
    families.push_back(family.Take());
  };
  one(MetricType::Gauge, "omserve_response_cache_bytes", "Memory of answers that are kept",
      counts.size_bytes);
  one(MetricType::Gauge, "omserve_response_cache_max_bytes", "The most that it may be",
      cache->max_bytes());
  one(MetricType::Gauge, "omserve_response_cache_entries", "Answers that are kept", counts.entries);
  one(MetricType::Counter, "omserve_response_cache_evictions_total",
      "Answers that made room for others", counts.evictions);
  one(MetricType::Counter, "omserve_response_cache_not_stored_total",
      "Answers that were larger than the whole cache", counts.not_stored);
}

}  // namespace omserve::server
