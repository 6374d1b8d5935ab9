// SPDX-License-Identifier: Apache-2.0
// The daemon's metrics as Prometheus reads them, made from snapshots when they are asked for: the
// request path only ever counts.
//
// Source: the names and labels of Triton's metrics, and omserve_* for what Triton has no name for.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "runtime/base/clock.h"
#include "runtime/health/health_monitor.h"
#include "runtime/memory/host_pool.h"
#include "scheduler/dispatcher.h"
#include "server/core/auth/access_counters.h"
#include "server/core/catalog.h"
#include "server/core/device_recovery.h"
#include "server/core/exposition.h"
#include "server/core/heartbeats.h"
#include "server/core/host_metrics.h"
#include "server/core/http_counters.h"
#include "server/core/lifecycle.h"
#include "server/core/load_report.h"
#include "server/core/model_repository.h"
#include "server/core/response_cache.h"
#include "server/core/shared_memory.h"
#include "server/core/source_fetcher.h"
#include "server/core/statistics.h"
#include "server/core/summary_metrics.h"
#include "server/core/tracing/tracer.h"
#include "server/core/unloader.h"

namespace omserve::server {

// Thread-safe. The references outlive it.
class Metrics final {
 public:
  struct Sources {
    const Catalog& catalog;
    const ModelRepository& repository;
    const Unloader& unloader;
    const Statistics& statistics;
    const scheduler::Dispatcher& dispatcher;
    const memory::HostPool& pinned_pool;
    const ResponseCache* response_cache;  // Null where no answers are kept.
    const SharedMemory* shared_memory;    // Null where clients may share none.
    const Lifecycle& lifecycle;
    const Clock& clock;
    const health::HealthMonitor* health;                           // Null when nobody reads it.
    const std::vector<std::unique_ptr<DeviceRecovery>>& recovery;  // By the device's place.
    const HttpCounters& http;
    bool first_response = false;  // Triton's histogram of it, which is off there too.
    std::vector<double> summary_quantiles = {};  // Of Triton's summaries; empty: there are none.
    const Tracer& tracer;
    const AccessCounters& access;
    const Heartbeats* heartbeats;            // Null where nobody looks at the loops.
    const SourceFetcher* fetcher = nullptr;  // Null where models come from nowhere.
  };
  // Labels of omserve_build_info.
  struct Build {
    std::string version;
    std::string device;
    std::string library;
  };
  Metrics(const Sources& sources, Build build)
      : sources_(sources),
        build_(std::move(build)),
        summaries_(sources.summary_quantiles, sources.clock) {}

  Exposition Expose() const;
  // For a client of `model`. Takes the lock of each device's published load, and copies it and the
  // devices' health.
  LoadReport ReportLoad(const Model& model) const;

 private:
  const Sources sources_;
  const Build build_;
  mutable HostUsage host_;
  mutable Summaries summaries_;
};

// Memory of this process that is in RAM, bytes; 0 where the system does not say.
size_t ResidentMemoryBytes();

}  // namespace omserve::server
