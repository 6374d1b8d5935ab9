// SPDX-License-Identifier: Apache-2.0
#include "server/core/memory_metrics.h"

#include <string>

#include "server/core/metric_family.h"

namespace omserve::server {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;
using Loads = std::vector<scheduler::Engine::Load>;

std::string DeviceName(const scheduler::Dispatcher& dispatcher, size_t place) {
  return std::to_string(dispatcher.engine(place).device_id());
}

void AddModelMemory(const std::vector<CatalogEntry>& entries,
                    const scheduler::Dispatcher& dispatcher, const Loads& loads,
                    std::vector<MetricFamily>& families) {
  Family sets(MetricType::Gauge, "omserve_output_sets",
              "Batches of the model that can be in flight or held for a next step at once");
  Family used(MetricType::Gauge, "omserve_output_sets_used",
              "Batches of the model that are in flight or held for a next step");
  for (const CatalogEntry& entry : entries) {
    if (entry.model == nullptr || entry.model->is_pipeline) {
      continue;
    }
    for (size_t place = 0; place < loads.size(); ++place) {
      const auto& plan = entry.model->placement->plans[place];
      if (plan == nullptr) {
        continue;
      }
      const scheduler::Engine::Load& load = loads[place];
      const auto index = static_cast<size_t>(plan->nodes.front().subgraph->index);
      if (index >= load.output_sets.size()) {
        continue;  // Added since the load was published.
      }
      const Labels labels = {{"model", entry.name},
                             {"version", std::to_string(entry.version)},
                             {"device", DeviceName(dispatcher, place)}};
      sets.Add(labels, load.output_sets[index]);
      used.Add(labels, load.output_sets_used[index]);
    }
  }
  for (Family* family : {&sets, &used}) {
    families.push_back(family->Take());
  }
}

}  // namespace

void AddMemoryFamilies(const std::vector<CatalogEntry>& entries,
                       const scheduler::Dispatcher& dispatcher, const Loads& loads,
                       std::vector<MetricFamily>& families) {
  AddModelMemory(entries, dispatcher, loads, families);
  const auto per_device = [&](MetricType type, const char* name, const char* help, auto value) {
    Family family(type, name, help);
    for (size_t place = 0; place < loads.size(); ++place) {
      family.Add({{"device", DeviceName(dispatcher, place)}}, static_cast<double>(value(place)));
    }
    families.push_back(family.Take());
  };
  per_device(MetricType::Gauge, "omserve_device_pool_size_bytes",
             "Device memory for the outputs of batches",
             [&](size_t place) { return dispatcher.engine(place).device_pool_bytes(); });
  per_device(MetricType::Gauge, "omserve_device_pool_used_bytes",
             "Device memory of the pool in use",
             [&](size_t place) { return loads[place].device_pool_used; });
  per_device(MetricType::Gauge, "omserve_device_pool_peak_bytes",
             "The most device memory of the pool that was in use at once",
             [&](size_t place) { return loads[place].device_pool_peak; });
  per_device(MetricType::Counter, "omserve_device_pool_allocations_total",
             "Blocks of the device pool handed out: to models and pipelines when they are loaded, "
             "none to requests",
             [&](size_t place) { return loads[place].device_pool_allocations; });
  per_device(MetricType::Counter, "omserve_arena_launches_total",
             "Steps of one request that ran by themselves because all memory for outputs was held "
             "by requests that waited for each other",
             [&](size_t place) { return loads[place].arena_launches; });
}

}  // namespace omserve::server
