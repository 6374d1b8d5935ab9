// SPDX-License-Identifier: Apache-2.0
#include "server/core/trace_metrics.h"

#include "server/core/metric_family.h"

namespace omserve::server {

using prometheus::MetricType;

void AddTraceFamilies(const Tracer& tracer, std::vector<prometheus::MetricFamily>& families) {
  const Tracer::Counts counts = tracer.counts();
  const auto one = [&families](MetricType type, const char* name, const char* help, auto value) {
    Family family(type, name, help);
    family.Add({}, static_cast<double>(value));
    families.push_back(family.Take());
  };
  one(MetricType::Counter, "omserve_traces_total", "Requests that were traced", counts.recorded);
  one(MetricType::Counter, "omserve_traces_written_total",
      "Traces that a collector or a file has taken", counts.exported.written);
  one(MetricType::Gauge, "omserve_traces_waiting", "Traces that wait to be written",
      counts.exported.waiting);
  one(MetricType::Counter, "omserve_trace_write_failures_total",
      "Attempts to write traces that failed", counts.exported.failures);
  Family dropped(MetricType::Counter, "omserve_traces_dropped_total",
                 "Traces that were lost: too many waited, the collector or the file did not take "
                 "them, the daemon ended before, or a capture had more than it keeps");
  dropped.Add({{"reason", "full"}}, static_cast<double>(counts.exported.dropped_full));
  dropped.Add({{"reason", "refused"}}, static_cast<double>(counts.exported.dropped_refused));
  dropped.Add({{"reason", "stopped"}}, static_cast<double>(counts.exported.dropped_stopped));
  dropped.Add({{"reason", "capture"}}, static_cast<double>(counts.dropped_capture));
  families.push_back(dropped.Take());
}

}  // namespace omserve::server
