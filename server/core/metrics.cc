// SPDX-License-Identifier: Apache-2.0
#include "server/core/metrics.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <fstream>
#include <utility>

#include "scheduler/batch_policy.h"
#include "server/core/access_metrics.h"
#include "server/core/cache_metrics.h"
#include "server/core/device_metrics.h"
#include "server/core/first_response_metrics.h"
#include "server/core/memory_metrics.h"
#include "server/core/metric_family.h"
#include "server/core/metric_tags.h"
#include "server/core/recovery_metrics.h"
#include "server/core/repository_metrics.h"
#include "server/core/sequence_metrics.h"
#include "server/core/shared_memory_metrics.h"
#include "server/core/source_metrics.h"
#include "server/core/trace_metrics.h"

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

void AddRefusalFamilies(const std::vector<ModelStatistics>& models,
                        std::vector<MetricFamily>& families) {
  Family refused(MetricType::Counter, "omserve_refused_requests_total",
                 "Requests that were refused for lack of time or room, by reason; nothing of them "
                 "ran");
  Family late(MetricType::Counter, "omserve_deadline_exceeded_requests_total",
              "Accepted requests that were not finished in time: their deadline came while they "
              "waited or ran, or they were dropped because it could not be met any longer");
  for (const ModelStatistics& model : models) {
    for (size_t r = 0; r < scheduler::kRefusalReasonCount; ++r) {
      Labels labels = LabelsOf(model.name, model.version);
      labels.push_back({"reason", std::string(scheduler::RefusalReasonName(
                                      static_cast<scheduler::RefusalReason>(r)))});
      refused.Add(std::move(labels), static_cast<double>(model.refusals[r]));
    }
    const auto add = [&](const char* stage, uint64_t count) {
      Labels labels = LabelsOf(model.name, model.version);
      labels.push_back({"stage", stage});
      late.Add(std::move(labels), static_cast<double>(count));
    };
    add("waiting", model.expired_waiting);
    add("running", model.expired_running);
    add("dropped", model.dropped);
  }
  families.push_back(refused.Take());
  families.push_back(late.Take());
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

constexpr char kStageFamily[] = "omserve_request_duration_seconds";

// The five stages of a request and, as "total", its whole time. `histograms`: those behind the
// family's metrics, one by one.
void AddStageFamily(const std::vector<ModelStatistics>& models, std::vector<MetricFamily>& families,
                    std::vector<DurationHistogram>* histograms) {
  std::array<double, DurationHistogram::kBoundsUs.size()> bounds{};
  std::ranges::transform(DurationHistogram::kBoundsUs, bounds.begin(),
                         [](uint64_t us) { return static_cast<double>(us) / 1e6; });
  Family family(MetricType::Histogram, kStageFamily,
                "Time of successful requests in the server, by stage; the stages sum to the total");
  for (const ModelStatistics& model : models) {
    const auto add = [&](std::string_view stage, const DurationHistogram& histogram) {
      Labels labels = LabelsOf(model.name, model.version);
      labels.push_back({"stage", std::string(stage)});
      family.AddHistogram(std::move(labels), bounds, histogram.buckets,
                          static_cast<double>(histogram.sum_ns) / 1e9);
      histograms->push_back(histogram);
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
  families.push_back(PerModel(models, "omserve_batch_input_elements_total",
                              "Elements of the inputs of all batches, at the gears they ran at",
                              [](const ModelStatistics& m) { return m.input_elements; }));
  families.push_back(PerModel(models, "omserve_batch_padding_elements_total",
                              "Elements of inputs that only fill: rows up to the gear, and rows "
                              "padded up to a compiled length",
                              [](const ModelStatistics& m) { return m.padding_elements; }));
}

void AddTurnFamilies(const std::vector<ModelStatistics>& models,
                     std::vector<MetricFamily>& families) {
  families.push_back(PerModel(models, "omserve_turns_total",
                              "Batches that ran while their instance held shared resources",
                              [](const ModelStatistics& m) { return m.turns; }));
  families.push_back(PerModel(models, "omserve_turns_waited_total",
                              "Of these, batches whose instance had to wait for the resources",
                              [](const ModelStatistics& m) { return m.turns_waited; }));
  families.push_back(PerModel(
      models, "omserve_turn_wait_seconds_total", "How long instances waited for shared resources",
      [](const ModelStatistics& m) { return static_cast<double>(m.turn_wait_ns) / 1e9; }));
}

void AddResourceFamilies(const scheduler::SharedRateLimiter& limiter,
                         std::vector<MetricFamily>& families) {
  Family total(MetricType::Gauge, "omserve_rate_limit_resources",
               "Copies of a resource that instances share, on a device or on all together");
  Family held(MetricType::Gauge, "omserve_rate_limit_resources_held",
              "Copies of a shared resource that instances hold");
  for (const scheduler::RateLimiter::Usage& usage : limiter.usage()) {
    const Labels labels = {
        {"resource", usage.name},
        {"device", usage.device.has_value() ? std::to_string(*usage.device) : "all"}};
    total.Add(labels, usage.total);
    held.Add(labels, usage.held);
  }
  families.push_back(total.Take());
  families.push_back(held.Take());
}

using Loads = std::vector<scheduler::Engine::Load>;  // By the device's place.

Loads LoadsOf(const scheduler::Dispatcher& dispatcher) {
  Loads loads;
  for (size_t place = 0; place < dispatcher.device_count(); ++place) {
    loads.push_back(dispatcher.engine(place).load());
  }
  return loads;
}

double Seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

// What was accepted, by device, and the bounds on it, which are each device's.
void AddLimitFamilies(const Metrics::Sources& sources, const Loads& loads,
                      std::vector<MetricFamily>& families) {
  Family rows(MetricType::Gauge, "omserve_accepted_rows", "Rows that wait or run, of all models");
  Family bytes(MetricType::Gauge, "omserve_accepted_input_bytes", "Pinned memory of their inputs");
  for (size_t place = 0; place < loads.size(); ++place) {
    const Labels labels{{"device", DeviceName(sources.dispatcher, place)}};
    rows.Add(labels, loads[place].rows);
    bytes.Add(labels, static_cast<double>(loads[place].input_bytes));
  }
  const scheduler::Core::Options& limits = sources.dispatcher.engine(0).limits();
  const auto limit = [&families](const char* name, const char* help, double value) {
    families.push_back(One(MetricType::Gauge, name, help, value));
  };
  families.push_back(rows.Take());
  limit("omserve_accepted_rows_limit", "The most of them on a device; one more is refused",
        limits.max_rows);
  families.push_back(bytes.Take());
  limit("omserve_accepted_input_bytes_limit", "The most of it on a device; 0: no bound",
        static_cast<double>(limits.max_input_bytes));
  limit("omserve_queue_time_limit_seconds",
        "The most device time that may wait for a model which sets none itself; 0: no bound",
        Seconds(limits.max_queue_time));
}

// What waits for a compiled model.
struct ModelQueue {
  double rows = 0;      // On all devices.
  double requests = 0;  // Likewise.
  // Until an instance is free of it, on the device where that is first; unset while none serves.
  std::optional<Clock::duration> time;
};

ModelQueue QueueOf(const Model& model, const Loads& loads, Clock::time_point now) {
  ModelQueue queue;
  for (size_t place = 0; place < loads.size(); ++place) {
    const auto& plan = model.placement->plans[place];
    if (plan == nullptr) {
      continue;
    }
    const auto index = static_cast<size_t>(plan->nodes.front().subgraph->index);
    const scheduler::Engine::Load& load = loads[place];
    if (index >= load.queued_rows.size()) {
      continue;
    }
    queue.rows += load.queued_rows[index];
    queue.requests += load.queued_requests[index];
    if (load.free_at[index] != Clock::time_point::max()) {
      const Clock::duration time = std::max(Clock::duration::zero(), load.free_at[index] - now);
      queue.time = std::min(queue.time.value_or(time), time);
    }
  }
  return queue;
}

void AddModelGauges(const std::vector<CatalogEntry>& entries, const Loads& loads,
                    Clock::time_point now, std::vector<MetricFamily>& families) {
  Family pending(
      MetricType::Gauge, "nv_inference_pending_request_count",
      "Instantaneous number of requests that wait for execution; those of a pipeline are "
      "requests of its steps");
  Family queue(MetricType::Gauge, "omserve_queue_rows", "Rows that wait for execution");
  Family limit(MetricType::Gauge, "omserve_queue_rows_limit",
               "Rows that may wait for execution on each device; 0: no bound of the model's own");
  Family busy(MetricType::Gauge, "omserve_queue_time_seconds",
              "Predicted time until an instance is free of what was accepted; absent while none "
              "serves");
  Family loading(MetricType::Gauge, "nv_model_load_duration_secs", "Model load time in seconds");
  for (const CatalogEntry& entry : entries) {
    if (entry.model == nullptr) {
      continue;
    }
    const Labels labels = LabelsOf(entry.name, entry.version);
    loading.Add(labels, std::chrono::duration<double>(entry.model->load_time).count());
    double requests = 0;
    if (!entry.model->is_pipeline) {
      const ModelQueue waiting = QueueOf(*entry.model, loads, now);
      requests = waiting.requests;
      queue.Add(labels, waiting.rows);
      limit.Add(labels, entry.model->max_queue_rows);
      if (waiting.time.has_value()) {
        busy.Add(labels, Seconds(*waiting.time));
      }
    }
    pending.Add(labels, requests);
  }
  families.push_back(pending.Take());
  families.push_back(queue.Take());
  families.push_back(limit.Take());
  families.push_back(busy.Take());
  families.push_back(loading.Take());
}

void AddLoadFamilies(const Metrics::Sources& sources, const Loads& loads,
                     std::vector<MetricFamily>& families) {
  Family instances(MetricType::Gauge, "omserve_model_instances",
                   "Instances of a model on each device");
  for (const CatalogEntry& entry : sources.catalog.List()) {
    for (size_t i = 0; entry.model != nullptr && i < entry.model->shares.size(); ++i) {
      Labels labels = LabelsOf(entry.name, entry.version);
      labels.push_back({"device", std::to_string(entry.model->shares[i].device)});
      instances.Add(std::move(labels), entry.model->shares[i].instances);
    }
  }
  families.push_back(instances.Take());
  const auto per_device = [&](const char* name, const char* help, auto value) {
    Family family(MetricType::Gauge, name, help);
    for (size_t place = 0; place < loads.size(); ++place) {
      family.Add({{"device", DeviceName(sources.dispatcher, place)}},
                 static_cast<double>(value(place)));
    }
    families.push_back(family.Take());
  };
  per_device("omserve_requests_in_flight", "Requests accepted and not yet finished",
             [&](size_t place) { return loads[place].requests; });
  families.push_back(One(MetricType::Counter, "omserve_requests_diverted_total",
                         "Requests that a lost device had not begun and that another took",
                         static_cast<double>(sources.dispatcher.diverted_count())));
}

void AddPoolFamilies(const Metrics::Sources& sources, std::vector<MetricFamily>& families) {
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
  gauge("omserve_ready", "1 while new requests are welcome", sources.lifecycle.ready() ? 1 : 0);
  gauge("process_resident_memory_bytes", "Resident memory size in bytes", ResidentMemoryBytes());
}

void AddPairFamilies(const PairSpeeds& pairs, std::vector<MetricFamily>& families) {
  Family speeds(MetricType::Gauge, "omserve_pair_speed",
                "Speed of a model while the other one runs on the device, as a part of its speed "
                "alone, as last measured");
  Family apart(MetricType::Gauge, "omserve_pair_kept_apart",
               "1 where the two run one after the other, since together both are slower than that, "
               "as last measured");
  for (const auto& [models, pair] : pairs) {
    const Labels labels = {{"device", std::to_string(models.device)},
                           {"model", models.model},
                           {"version", std::to_string(models.version)},
                           {"beside", models.beside},
                           {"beside_version", std::to_string(models.beside_version)}};
    speeds.Add(labels, pair.speed);
    apart.Add(labels, pair.apart ? 1 : 0);
  }
  families.push_back(speeds.Take());
  families.push_back(apart.Take());
}

// Of the devices that tell how busy they are; a chip as a whole, else its cube cores.
std::optional<double> MeanUtilization(const std::optional<health::HealthReport>& report) {
  double sum = 0;
  int devices = 0;
  for (size_t i = 0; report.has_value() && i < report->devices.size(); ++i) {
    const health::Utilization& of = report->devices[i].utilization;
    if (const std::optional<double> utilization = of.npu.has_value() ? of.npu : of.cube) {
      sum += *utilization;
      ++devices;
    }
  }
  return devices > 0 ? std::optional(sum / devices) : std::nullopt;
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

LoadReport Metrics::ReportLoad(const Model& model) const {
  LoadReport report;
  if (!model.is_pipeline) {
    const ModelQueue waiting = QueueOf(model, LoadsOf(sources_.dispatcher), sources_.clock.Now());
    report.emplace_back("queue_rows", waiting.rows);
    if (waiting.time.has_value()) {
      report.emplace_back("queue_time_seconds", Seconds(*waiting.time));
    }
  }
  report.emplace_back("pinned_memory_utilization",
                      static_cast<double>(sources_.pinned_pool.used_bytes()) /
                          static_cast<double>(sources_.pinned_pool.size_bytes()));
  if (sources_.health != nullptr) {
    if (const auto utilization = MeanUtilization(sources_.health->latest())) {
      report.emplace_back("device_utilization", *utilization);
    }
  }
  return report;
}

Exposition Metrics::Expose() const {
  const std::vector<ModelStatistics> models = sources_.statistics.Snapshot();
  const Loads loads = LoadsOf(sources_.dispatcher);
  Exposition exposition{.families = {}, .histogram_family = kStageFamily, .histograms = {}};
  std::vector<MetricFamily>& families = exposition.families;
  AddRequestFamilies(models, families);
  AddRefusalFamilies(models, families);
  AddDurationFamilies(models, families);
  AddStageFamily(models, families, &exposition.histograms);
  AddBatchFamilies(models, families);
  AddTurnFamilies(models, families);
  AddPairFamilies(sources_.statistics.Pairs(), families);
  AddResourceFamilies(sources_.dispatcher.rate_limiter(), families);
  const std::vector<CatalogEntry> entries = sources_.catalog.List();
  if (sources_.first_response) {
    AddFirstResponseFamily(models, entries, families);
  }
  summaries_.AddFamilies(models, entries, families);
  AddModelGauges(entries, loads, sources_.clock.Now(), families);
  AddCacheFamilies(sources_.response_cache, entries, models, families);
  AddSharedMemoryFamilies(sources_.shared_memory, families);
  AddLimitFamilies(sources_, loads, families);
  AddSequenceFamilies(entries, loads, families);
  AddLoadFamilies(sources_, loads, families);
  AddMemoryFamilies(entries, sources_.dispatcher, loads, families);
  AddPoolFamilies(sources_, families);
  if (sources_.health != nullptr) {
    AddDeviceFamilies(sources_.health->latest(), sources_.clock.Now(), families);
  }
  AddRecoveryFamilies(sources_.recovery, families);
  AddHttpFamilies(sources_.http, families);
  AddTraceFamilies(sources_.tracer, families);
  AddAccessFamilies(sources_.access, families);
  if (sources_.heartbeats != nullptr) {
    Family stuck(MetricType::Gauge, "omserve_loop_stuck",
                 "1 while the loop does not turn; then the daemon is not live");
    for (const Heartbeats::Loop& loop : sources_.heartbeats->Loops()) {
      stuck.Add({{"loop", loop.name}}, loop.is_stuck ? 1 : 0);
    }
    families.push_back(stuck.Take());
  }
  AddRepositoryFamilies(sources_.repository, entries, sources_.catalog.Transitions(),
                        sources_.unloader.waiting(), families);
  if (sources_.fetcher != nullptr) {
    AddSourceFamilies(*sources_.fetcher, families);
  }
  families.push_back(One(
      MetricType::Gauge, "omserve_build_info", "Always 1; the labels say what runs, and on what", 1,
      {{"version", build_.version}, {"device", build_.device}, {"library", build_.library}}));
  AddHostFamilies(host_.Read(), families);
  AddMetricTags(entries, families);
  return exposition;
}

}  // namespace omserve::server
