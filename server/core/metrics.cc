// SPDX-License-Identifier: Apache-2.0
#include "server/core/metrics.h"

#include <prometheus/text_serializer.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <sstream>
#include <utility>

#include "scheduler/batch_policy.h"
#include "server/core/device_metrics.h"
#include "server/core/metric_family.h"

namespace omserve::server {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

constexpr double kNsPerUs = 1000.0;

MetricFamily One(MetricType type, std::string name, std::string help, double value,
                 Labels labels = {}) {
  Family family(type, std::move(name), std::move(help));
  family.Add(std::move(labels), value);
  return family.Take();
}

Labels LabelsOf(const std::string& model, int64_t version) {
  return {{"model", model}, {"version", std::to_string(version)}};
}

// One sample per model version.
template <typename Value>
MetricFamily PerModel(const std::vector<ModelStatistics>& models, std::string name,
                      std::string help, Value value) {
  Family family(MetricType::Counter, std::move(name), std::move(help));
  for (const ModelStatistics& model : models) {
    family.Add(LabelsOf(model.name, model.version), static_cast<double>(value(model)));
  }
  return family.Take();
}

void AddRequestFamilies(const std::vector<ModelStatistics>& models,
                        std::vector<MetricFamily>& families) {
  families.push_back(PerModel(models, "nv_inference_request_success",
                              "Number of successful inference requests, all batch sizes",
                              [](const ModelStatistics& m) { return m.success.count; }));
  Family failure(MetricType::Counter, "nv_inference_request_failure",
                 "Number of failed inference requests, all batch sizes");
  for (const ModelStatistics& model : models) {
    for (size_t r = 0; r < kFailReasonCount; ++r) {
      Labels labels = LabelsOf(model.name, model.version);
      labels.push_back({"reason", std::string(FailReasonName(static_cast<FailReason>(r)))});
      failure.Add(std::move(labels), static_cast<double>(model.fail_by_reason[r]));
    }
  }
  families.push_back(failure.Take());
  families.push_back(PerModel(models, "nv_inference_count",
                              "Number of inferences performed (rows of all batches)",
                              [](const ModelStatistics& m) { return m.inference_count; }));
  families.push_back(PerModel(models, "nv_inference_exec_count",
                              "Number of model executions performed",
                              [](const ModelStatistics& m) { return m.execution_count; }));
}

void AddDurationFamilies(const std::vector<ModelStatistics>& models,
                         std::vector<MetricFamily>& families) {
  struct Stage {
    const char* name;
    const char* help;
    DurationCount ModelStatistics::*duration;
  };
  static constexpr Stage kStages[] = {
      {"nv_inference_request_duration_us", "Cumulative inference request duration in microseconds",
       &ModelStatistics::success},
      {"nv_inference_queue_duration_us", "Cumulative inference queuing duration in microseconds",
       &ModelStatistics::queue},
      {"nv_inference_compute_input_duration_us",
       "Cumulative compute input duration in microseconds", &ModelStatistics::compute_input},
      {"nv_inference_compute_infer_duration_us",
       "Cumulative compute inference duration in microseconds", &ModelStatistics::compute_infer},
      {"nv_inference_compute_output_duration_us",
       "Cumulative inference compute output duration in microseconds",
       &ModelStatistics::compute_output},
  };
  for (const Stage& stage : kStages) {
    families.push_back(PerModel(models, stage.name, stage.help, [&stage](const ModelStatistics& m) {
      return static_cast<double>((m.*stage.duration).ns) / kNsPerUs;
    }));
  }
}

// The five stages of a request and, as "total", its whole time.
void AddStageFamily(const std::vector<ModelStatistics>& models,
                    std::vector<MetricFamily>& families) {
  std::array<double, DurationHistogram::kBoundsUs.size()> bounds{};
  std::ranges::transform(DurationHistogram::kBoundsUs, bounds.begin(),
                         [](uint64_t us) { return static_cast<double>(us) / 1e6; });
  Family family(MetricType::Histogram, "omserve_request_duration_seconds",
                "Time of successful requests in the server, by stage; the stages sum to the total");
  for (const ModelStatistics& model : models) {
    const auto add = [&](std::string_view stage, const DurationHistogram& histogram) {
      Labels labels = LabelsOf(model.name, model.version);
      labels.push_back({"stage", std::string(stage)});
      family.AddHistogram(std::move(labels), bounds, histogram.buckets,
                          static_cast<double>(histogram.sum_ns) / 1e9);
    };
    for (size_t s = 0; s < scheduler::kStageCount; ++s) {
      add(scheduler::StageName(static_cast<scheduler::Stage>(s)), model.stages.stages[s]);
    }
    add("total", model.stages.total);
  }
  families.push_back(family.Take());
}

void AddBatchFamilies(const std::vector<ModelStatistics>& models,
                      std::vector<MetricFamily>& families) {
  Family released(MetricType::Counter, "omserve_batches_released_total",
                  "Batches that left their queue, by why they left");
  for (const ModelStatistics& model : models) {
    for (int r = 0; r < scheduler::kReleaseReasonCount; ++r) {
      Labels labels = LabelsOf(model.name, model.version);
      labels.push_back({"reason", std::string(scheduler::ReleaseReasonName(
                                      static_cast<scheduler::ReleaseReason>(r)))});
      released.Add(std::move(labels), static_cast<double>(model.releases[static_cast<size_t>(r)]));
    }
  }
  families.push_back(released.Take());
  families.push_back(PerModel(models, "omserve_batch_padded_rows_total",
                              "Rows computed only because the gear was larger than the batch",
                              [](const ModelStatistics& m) { return m.padded_rows; }));
}

void AddModelGauges(const std::vector<CatalogEntry>& entries, const scheduler::Engine::Load& load,
                    std::vector<MetricFamily>& families) {
  Family pending(MetricType::Gauge, "nv_inference_pending_request_count",
                 "Instantaneous number of rows that wait for execution");
  Family queue(MetricType::Gauge, "omserve_queue_rows", "Rows that wait for execution");
  Family loading(MetricType::Gauge, "nv_model_load_duration_secs", "Model load time in seconds");
  for (const CatalogEntry& entry : entries) {
    if (entry.model == nullptr) {
      continue;
    }
    const Labels labels = LabelsOf(entry.name, entry.version);
    loading.Add(labels, std::chrono::duration<double>(entry.model->load_time).count());
    size_t index = 0;
    double rows = 0;  // A pipeline's rows wait in the queues of its steps.
    if (entry.model->subgraph != nullptr) {
      index = static_cast<size_t>(entry.model->subgraph->index);
      rows = index < load.queued_rows.size() ? load.queued_rows[index] : 0;
      queue.Add(labels, rows);
    }
    pending.Add(labels, rows);
  }
  families.push_back(pending.Take());
  families.push_back(queue.Take());
  families.push_back(loading.Take());
}

void AddPoolFamilies(const Metrics::Sources& sources, const scheduler::Engine::Load& load,
                     std::vector<MetricFamily>& families) {
  const auto gauge = [&families](const char* name, const char* help, size_t value) {
    families.push_back(One(MetricType::Gauge, name, help, static_cast<double>(value)));
  };
  gauge("nv_pinned_memory_pool_total_bytes", "Pinned memory pool total memory size, in bytes",
        sources.pinned_pool.size_bytes());
  gauge("nv_pinned_memory_pool_used_bytes", "Pinned memory pool used memory size, in bytes",
        sources.pinned_pool.used_bytes());
  gauge("omserve_pinned_pool_size_bytes", "Pinned host memory for tensors",
        sources.pinned_pool.size_bytes());
  gauge("omserve_pinned_pool_used_bytes", "Pinned host memory in use",
        sources.pinned_pool.used_bytes());
  gauge("omserve_pinned_pool_peak_bytes", "The most pinned host memory that was in use at once",
        sources.pinned_pool.peak_bytes());
  gauge("omserve_device_pool_size_bytes", "Device memory for tensors between steps",
        sources.engine.device_pool_bytes());
  gauge("omserve_device_pool_used_bytes", "Device memory of the pool in use",
        load.device_pool_used);
  gauge("omserve_device_pool_peak_bytes",
        "The most device memory of the pool that was in use at once", load.device_pool_peak);
  gauge("omserve_requests_in_flight", "Requests accepted and not yet finished", load.requests);
  gauge("omserve_ready", "1 while new requests are welcome", sources.lifecycle.ready() ? 1 : 0);
  gauge("process_resident_memory_bytes", "Resident memory size in bytes", ResidentMemoryBytes());
}

void AddRecoveryFamilies(const DeviceRecovery::Snapshot& counts,
                         std::vector<MetricFamily>& families) {
  const Labels device = {{"device", std::to_string(counts.device)}};
  const auto with = [&device](const char* label, const std::string& value) {
    Labels labels = device;
    labels.push_back({label, value});
    return labels;
  };
  const auto counter = [&](const char* name, const char* help, uint64_t value) {
    families.push_back(One(MetricType::Counter, name, help, static_cast<double>(value), device));
  };
  Family errors(MetricType::Counter, "omserve_device_errors_total",
                "Batches that the device failed, by AscendCL's code");
  for (const auto& [code, count] : counts.errors) {
    errors.Add(with("code", std::to_string(code)), static_cast<double>(count));
  }
  families.push_back(errors.Take());
  Family requests(MetricType::Counter, "omserve_device_requests_abandoned_total",
                  "Requests answered unfinished, by why: their stream hung, their device was lost");
  requests.Add(with("reason", "hung"), static_cast<double>(counts.requests_lane_hung));
  requests.Add(with("reason", "lost"), static_cast<double>(counts.requests_device_lost));
  families.push_back(requests.Take());
  counter("omserve_device_lanes_abandoned_total", "Streams that hung and were given up",
          counts.lanes_abandoned);
  counter("omserve_device_lanes_rebuilt_total", "Streams that were made anew and serve again",
          counts.lanes_mended);
  counter("omserve_device_losses_total", "Times that the device was lost", counts.losses);
  counter("omserve_device_recoveries_total", "Times that a lost device was recovered",
          counts.recoveries);
  counter("omserve_device_recovery_failures_total", "Attempts to recover the device that failed",
          counts.failed_attempts);
  families.push_back(One(MetricType::Gauge, "omserve_device_lost",
                         "1 while the device is lost and being recovered", counts.lost ? 1 : 0,
                         device));
  families.push_back(One(MetricType::Gauge, "omserve_device_last_recovery_seconds",
                         "How long the last recovery took, from the loss to serving again",
                         std::chrono::duration<double>(counts.last_recovery).count(), device));
}

}  // namespace

size_t ResidentMemoryBytes() {
  // Pages: "SIZE RESIDENT ...". Files in /proc say that they are empty, so they are read as
  // streams.
  std::ifstream statm("/proc/self/statm");
  size_t size = 0;
  size_t resident = 0;
  if (!(statm >> size >> resident)) {
    return 0;
  }
  return resident * static_cast<size_t>(sysconf(_SC_PAGESIZE));
}

std::vector<MetricFamily> Metrics::Collect() const {
  const std::vector<ModelStatistics> models = sources_.statistics.Snapshot();
  const scheduler::Engine::Load load = sources_.engine.load();
  std::vector<MetricFamily> families;
  AddRequestFamilies(models, families);
  AddDurationFamilies(models, families);
  AddStageFamily(models, families);
  AddBatchFamilies(models, families);
  AddModelGauges(sources_.catalog.List(), load, families);
  AddPoolFamilies(sources_, load, families);
  if (sources_.health != nullptr) {
    AddDeviceFamilies(sources_.health->latest(), sources_.clock.Now(), families);
  }
  AddRecoveryFamilies(sources_.recovery.snapshot(), families);
  families.push_back(One(
      MetricType::Gauge, "omserve_build_info", "Always 1; the labels say what runs, and on what", 1,
      {{"version", build_.version}, {"device", build_.device}, {"library", build_.library}}));
  return families;
}

std::string Metrics::Text() const {
  std::ostringstream text;
  prometheus::TextSerializer().Serialize(text, Collect());
  return std::move(text).str();
}

}  // namespace omserve::server
