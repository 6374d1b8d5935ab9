// SPDX-License-Identifier: Apache-2.0
#include "server/core/summary_metrics.h"

#include <algorithm>
#include <chrono>
#include <iterator>

#include "server/core/metric_family.h"

namespace omserve::server {
namespace {

// As the client library of Prometheus that Triton uses has it.
constexpr std::chrono::seconds kWindow{60};
constexpr std::chrono::seconds kBetweenLooks{12};
constexpr double kUsPerSecond = 1e6;

struct Times {
  const ExponentialHistogram& distribution;
  uint64_t count;
  uint64_t ns;
};

Times Of(const DurationHistogram& histogram) {
  return {histogram.exponential, histogram.count, histogram.sum_ns};
}

template <scheduler::Stage stage>
Times OfStage(const ModelStatistics& model) {
  return Of(model.stages.stages[static_cast<size_t>(stage)]);
}

struct Series {
  const char* name;
  const char* help;
  Times (*times_of)(const ModelStatistics& model);
  bool is_cache = false;
};
constexpr Series kSeries[] = {
    {"nv_inference_request_summary_us", "Time of a request, in microseconds",
     [](const ModelStatistics& model) { return Of(model.stages.total); }},
    {"nv_inference_queue_summary_us", "Time that a request waited, in microseconds",
     OfStage<scheduler::Stage::kQueue>},
    {"nv_inference_compute_input_summary_us", "Time of preparing inputs, in microseconds",
     OfStage<scheduler::Stage::kInput>},
    {"nv_inference_compute_infer_summary_us", "Time of computing, in microseconds",
     OfStage<scheduler::Stage::kCompute>},
    {"nv_inference_compute_output_summary_us", "Time of fetching outputs, in microseconds",
     OfStage<scheduler::Stage::kOutput>},
    {"nv_cache_hit_summary_per_model", "Time of looking up what was kept, in microseconds",
     [](const ModelStatistics& model) -> Times {
       return {model.cache_hit_times, model.cache_hit.count, model.cache_hit.ns};
     },
     true},
    {"nv_cache_miss_summary_per_model",
     "Time of looking up in vain and of keeping, in microseconds",
     [](const ModelStatistics& model) -> Times {
       return {model.cache_miss_times, model.cache_miss.count, model.cache_miss.ns};
     },
     true},
};

// Those that are served, and whether their answers are kept.
std::map<Summaries::Key, bool> ServedModels(const std::vector<CatalogEntry>& entries) {
  std::map<Summaries::Key, bool> served;
  for (const CatalogEntry& entry : entries) {
    if (entry.model != nullptr) {
      served[{entry.name, entry.version}] = entry.model->config.response_cache().enable();
    }
  }
  return served;
}

}  // namespace

Summaries::Summaries(std::vector<double> quantiles, const Clock& clock)
    : quantiles_(std::move(quantiles)), clock_(clock) {
  looks_.push_back({.when = clock_.Now(), .models = {}});
}

const Summaries::Look& Summaries::BeginLocked(Clock::time_point now) {
  while (looks_.size() > 1 && now - looks_[1].when >= kWindow) {
    looks_.pop_front();
  }
  return looks_.front();
}

void Summaries::AddFamilies(const std::vector<ModelStatistics>& models,
                            const std::vector<CatalogEntry>& entries,
                            std::vector<prometheus::MetricFamily>& families) {
  if (quantiles_.empty()) {
    return;
  }
  const std::map<Key, bool> served = ServedModels(entries);
  const MutexLock lock(mu_);
  const Clock::time_point now = clock_.Now();
  const Look& begin = BeginLocked(now);
  Look look{.when = now, .models = {}};
  for (size_t s = 0; s < std::size(kSeries); ++s) {
    const Series& series = kSeries[s];
    Family family(prometheus::MetricType::Summary, series.name, series.help);
    for (const ModelStatistics& model : models) {
      const Key key{model.name, model.version};
      const auto found = served.find(key);
      if (found == served.end() || (series.is_cache && !found->second)) {
        continue;
      }
      const Times times = series.times_of(model);
      look.models[key].push_back(times.distribution);
      ExponentialHistogram recent = times.distribution;
      const auto before = begin.models.find(key);
      if (before != begin.models.end() && s < before->second.size()) {
        recent.Subtract(before->second[s]);
      }
      std::vector<std::pair<double, double>> values;
      for (const double quantile : quantiles_) {
        values.emplace_back(quantile, recent.Quantile(quantile) * kUsPerSecond);
      }
      family.AddSummary(LabelsOf(model.name, model.version), values, times.count,
                        static_cast<double>(times.ns) / 1e3);
    }
    if (!family.empty()) {
      families.push_back(family.Take());
    }
  }
  if (now - looks_.back().when >= kBetweenLooks) {
    looks_.push_back(std::move(look));
  }
}

}  // namespace omserve::server
