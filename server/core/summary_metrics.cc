// SPDX-License-Identifier: Apache-2.0
#include "server/core/summary_metrics.h"

#include <algorithm>
#include <chrono>

#include "server/core/metric_family.h"

namespace omserve::server {
namespace {

// As the client library of Prometheus that Triton uses has it.
constexpr std::chrono::seconds kWindow{60};
constexpr std::chrono::seconds kBetweenLooks{12};
constexpr double kUsPerSecond = 1e6;

struct Series {
  const char* name;
  const char* help;
  bool is_cache;
};
constexpr Series kSeries[] = {
    {"nv_inference_request_summary_us", "Time of a request, in microseconds", false},
    {"nv_inference_queue_summary_us", "Time that a request waited, in microseconds", false},
    {"nv_inference_compute_input_summary_us", "Time of preparing inputs, in microseconds", false},
    {"nv_inference_compute_infer_summary_us", "Time of computing, in microseconds", false},
    {"nv_inference_compute_output_summary_us", "Time of fetching outputs, in microseconds", false},
    {"nv_cache_hit_summary_per_model", "Time of looking up what was kept, in microseconds", true},
    {"nv_cache_miss_summary_per_model",
     "Time of looking up in vain and of keeping, in microseconds", true},
};

struct Times {
  const ExponentialHistogram& distribution;
  uint64_t count;
  uint64_t ns;
};

Times TimesOf(const ModelStatistics& model, size_t series) {
  const auto of = [](const DurationHistogram& histogram) -> Times {
    return {histogram.exponential, histogram.count, histogram.sum_ns};
  };
  const auto stage = [&](scheduler::Stage which) {
    return of(model.stages.stages[static_cast<size_t>(which)]);
  };
  switch (series) {
    case 0:
      return of(model.stages.total);
    case 1:
      return stage(scheduler::Stage::kQueue);
    case 2:
      return stage(scheduler::Stage::kInput);
    case 3:
      return stage(scheduler::Stage::kCompute);
    case 4:
      return stage(scheduler::Stage::kOutput);
    case 5:
      return {model.cache_hit_times, model.cache_hit.count, model.cache_hit.ns};
    default:
      return {model.cache_miss_times, model.cache_miss.count, model.cache_miss.ns};
  }
}

bool KeepsAnswers(const std::vector<CatalogEntry>& entries, const ModelStatistics& model) {
  return std::any_of(entries.begin(), entries.end(), [&model](const CatalogEntry& entry) {
    return entry.model != nullptr && entry.name == model.name && entry.version == model.version &&
           entry.model->config.response_cache().enable();
  });
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
  const MutexLock lock(mu_);
  const Clock::time_point now = clock_.Now();
  const Look& begin = BeginLocked(now);
  for (size_t s = 0; s < kCount; ++s) {
    Family family(prometheus::MetricType::Summary, kSeries[s].name, kSeries[s].help);
    for (const ModelStatistics& model : models) {
      if (kSeries[s].is_cache && !KeepsAnswers(entries, model)) {
        continue;
      }
      const Times times = TimesOf(model, s);
      ExponentialHistogram recent = times.distribution;
      const auto before = begin.models.find({model.name, model.version});
      if (before != begin.models.end()) {
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
    Look& look = looks_.emplace_back();
    look.when = now;
    for (const ModelStatistics& model : models) {
      OfModel& kept = look.models[{model.name, model.version}];
      for (size_t s = 0; s < kCount; ++s) {
        kept[s] = TimesOf(model, s).distribution;
      }
    }
  }
}

}  // namespace omserve::server
