// SPDX-License-Identifier: Apache-2.0
#include "server/core/http_counters.h"

#include "server/core/metric_family.h"

namespace omserve::server {

using prometheus::MetricType;

void AddHttpFamilies(const HttpCounters& counters,
                     std::vector<prometheus::MetricFamily>& families) {
  Family open(MetricType::Gauge, "omserve_http_connections", "Open connections of the HTTP ports");
  open.Add({}, static_cast<double>(counters.connections.load(std::memory_order_relaxed)));
  Family accepted(MetricType::Counter, "omserve_http_connections_total",
                  "Connections that were accepted by the HTTP ports");
  accepted.Add({}, static_cast<double>(counters.accepted.load(std::memory_order_relaxed)));
  Family refused(MetricType::Counter, "omserve_http_closed_connections_total",
                 "Connections that were refused or closed by the HTTP ports: too many, idle for "
                 "too long, or too slow");
  constexpr std::array<const char*, kHttpRefusals> kReasons = {"connections", "idle", "slow_header",
                                                               "slow_body", "slow_answer"};
  for (size_t i = 0; i < kHttpRefusals; ++i) {
    refused.Add({{"reason", kReasons[i]}},
                static_cast<double>(counters.refused[i].load(std::memory_order_relaxed)));
  }
  for (Family* family : {&open, &accepted, &refused}) {
    families.push_back(family->Take());
  }
}

}  // namespace omserve::server
