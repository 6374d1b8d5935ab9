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
                 "too long, too slow, or without a TLS handshake that succeeds");
  constexpr std::array<const char*, kHttpRefusals> kReasons = {
      "connections", "idle",       "slow_header",    "slow_body",
      "slow_answer", "handshakes", "slow_handshake", "handshake"};
  for (size_t i = 0; i < kHttpRefusals; ++i) {
    refused.Add({{"reason", kReasons[i]}},
                static_cast<double>(counters.refused[i].load(std::memory_order_relaxed)));
  }
  Family reloads(MetricType::Counter, "omserve_http_tls_reloads_total",
                 "Certificates and keys of the HTTP ports that had changed and were read again");
  reloads.Add({{"result", "used"}},
              static_cast<double>(counters.tls_reloads.load(std::memory_order_relaxed)));
  reloads.Add({{"result", "unusable"}},
              static_cast<double>(counters.tls_reload_failures.load(std::memory_order_relaxed)));
  for (Family* family : {&open, &accepted, &refused, &reloads}) {
    families.push_back(family->Take());
  }
}

}  // namespace omserve::server
