// SPDX-License-Identifier: Apache-2.0
#include "server/core/access_metrics.h"

#include "server/core/metric_family.h"

namespace omserve::server {

using prometheus::MetricType;

void AddAccessFamilies(const AccessCounters& counters,
                       std::vector<prometheus::MetricFamily>& families) {
  Family refused(MetricType::Counter, "omserve_access_refused_calls_total",
                 "Calls that were refused for who made them, or for the port that they came to");
  constexpr std::array<const char*, kAccessRefusals> kReasons = {
      "restricted",          "admin_port", "no_credentials", "unknown_token",
      "unknown_certificate", "role",       "model"};
  for (size_t i = 0; i < kAccessRefusals; ++i) {
    refused.Add({{"reason", kReasons[i]}},
                static_cast<double>(counters.refused[i].load(std::memory_order_relaxed)));
  }
  Family reads(MetricType::Counter, "omserve_access_file_reads_total",
               "Times that the file of clients had changed and was read again");
  const uint64_t all = counters.file_reads.load(std::memory_order_relaxed);
  const uint64_t failed = counters.file_failures.load(std::memory_order_relaxed);
  reads.Add({{"result", "used"}}, static_cast<double>(all - failed));
  reads.Add({{"result", "unusable"}}, static_cast<double>(failed));
  families.push_back(refused.Take());
  families.push_back(reads.Take());
}

}  // namespace omserve::server
