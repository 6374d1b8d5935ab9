// SPDX-License-Identifier: Apache-2.0
#include "server/core/memory_metrics.h"

#include <string>
#include <utility>

#include "scheduler/step_cache.h"
#include "server/core/metric_family.h"

namespace omserve::server {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;
using Loads = std::vector<scheduler::Engine::Load>;

size_t PlaceOf(const scheduler::Dispatcher& dispatcher, int device) {
  size_t place = 0;
  while (dispatcher.engine(place).device_id() != device) {
    ++place;
  }
  return place;
}

void AddParts(const Labels& labels, const DeviceShare& share, size_t output_bytes, Family& memory) {
  const std::pair<const char*, size_t> parts[] = {{"weights", share.weight_bytes},
                                                  {"work", share.work_bytes},
                                                  {"inputs", share.input_bytes},
                                                  {"outputs", output_bytes}};
  for (const auto& [part, bytes] : parts) {
    Labels with_part = labels;
    with_part.push_back({"part", part});
    memory.Add(std::move(with_part), static_cast<double>(bytes));
  }
}

void AddModelMemory(const std::vector<CatalogEntry>& entries,
                    const scheduler::Dispatcher& dispatcher, const Loads& loads,
                    std::vector<MetricFamily>& families) {
  Family sets(MetricType::Gauge, "omserve_output_sets",
              "Batches of the model that can be in flight or held for a next step at once");
  Family used(MetricType::Gauge, "omserve_output_sets_used",
              "Batches of the model that are in flight or held for a next step");
  Family memory(MetricType::Gauge, "omserve_model_memory_bytes",
                "Device memory that the model takes, by part");
  for (const CatalogEntry& entry : entries) {
    if (entry.model == nullptr) {
      continue;
    }
    for (const DeviceShare& share : entry.model->shares) {
      const scheduler::Engine::Load& load = loads[PlaceOf(dispatcher, share.device)];
      const auto index = static_cast<size_t>(share.subgraph->index);
      if (index >= load.output_sets.size()) {
        continue;  // Added since the load was published.
      }
      const Labels labels = {{"model", entry.name},
                             {"version", std::to_string(entry.version)},
                             {"device", std::to_string(share.device)}};
      sets.Add(labels, load.output_sets[index]);
      used.Add(labels, load.output_sets_used[index]);
      AddParts(labels, share, load.output_bytes[index], memory);
    }
  }
  for (Family* family : {&sets, &used, &memory}) {
    families.push_back(family->Take());
  }
}

void AddCacheFamilies(const std::vector<CatalogEntry>& entries,
                      std::vector<MetricFamily>& families) {
  struct Kind {
    MetricType type;
    const char* name;
    const char* help;
    double (*value)(const scheduler::CacheCounts&);
  };
  using Counts = scheduler::CacheCounts;
  static constexpr Kind kKinds[] = {
      {MetricType::Counter, "omserve_step_cache_hits_total",
       "Steps whose outputs were known for their inputs",
       [](const Counts& c) { return static_cast<double>(c.hits); }},
      {MetricType::Counter, "omserve_step_cache_misses_total",
       "Steps with a cache that were computed",
       [](const Counts& c) { return static_cast<double>(c.misses); }},
      {MetricType::Counter, "omserve_step_cache_evictions_total",
       "Outputs that made room for others",
       [](const Counts& c) { return static_cast<double>(c.evictions); }},
      {MetricType::Counter, "omserve_step_cache_not_stored_total",
       "Outputs larger than the cache, or for which no pinned memory was free",
       [](const Counts& c) { return static_cast<double>(c.not_stored); }},
      {MetricType::Gauge, "omserve_step_cache_entries", "Inputs whose outputs are known",
       [](const Counts& c) { return static_cast<double>(c.entries); }},
      {MetricType::Gauge, "omserve_step_cache_bytes", "Outputs that are kept",
       [](const Counts& c) { return static_cast<double>(c.size_bytes); }},
  };
  for (const Kind& kind : kKinds) {
    Family family(kind.type, kind.name, kind.help);
    for (const CatalogEntry& entry : entries) {
      for (size_t n = 0; entry.model != nullptr && n < entry.model->plan->nodes.size(); ++n) {
        const scheduler::PlanNode& node = entry.model->plan->nodes[n];
        if (node.cache != nullptr) {
          family.Add({{"model", entry.name},
                      {"version", std::to_string(entry.version)},
                      {"step", node.name}},
                     kind.value(node.cache->counts()));
        }
      }
    }
    if (!family.empty()) {
      families.push_back(family.Take());
    }
  }
}

}  // namespace

std::string DeviceName(const scheduler::Dispatcher& dispatcher, size_t place) {
  return std::to_string(dispatcher.engine(place).device_id());
}

void AddMemoryFamilies(const std::vector<CatalogEntry>& entries,
                       const scheduler::Dispatcher& dispatcher, const Loads& loads,
                       std::vector<MetricFamily>& families) {
  AddModelMemory(entries, dispatcher, loads, families);
  AddCacheFamilies(entries, families);
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
  per_device(MetricType::Gauge, "omserve_device_arena_bytes",
             "What of the device pool is kept so that one request can always go on",
             [&](size_t place) { return loads[place].arena_bytes; });
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
