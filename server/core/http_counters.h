// SPDX-License-Identifier: Apache-2.0
// What there is to count of the HTTP ports' connections.
#pragma once

#include <prometheus/metric_family.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

namespace omserve::server {

// Why a connection ended, or was not served, other than by its client's wish.
enum class HttpRefusal {
  kConnections,  // There are as many as the settings allow.
  kIdle,         // No request for too long.
  kSlowHeader,
  kSlowBody,
  kSlowAnswer,  // The client does not take it.
  kHandshakes,  // As many shake hands as the settings allow.
  kSlowHandshake,
  kHandshake,  // It failed: another version, no certificate that is known, no TLS at all.
};
inline constexpr size_t kHttpRefusals = 8;

// Thread-safe: counts by themselves, of which none says anything about another.
struct HttpCounters {
  std::atomic<int64_t> connections{0};  // Open ones, and of these
  std::atomic<int64_t> answering{0};    // those whose client has not all of its answer yet.
  std::atomic<uint64_t> accepted{0};
  std::array<std::atomic<uint64_t>, kHttpRefusals> refused{};
  // Looks at files of TLS that had changed, and whether what they held could be used.
  std::atomic<uint64_t> tls_reloads{0};
  std::atomic<uint64_t> tls_reload_failures{0};

  void Count(HttpRefusal why) {
    refused[static_cast<size_t>(why)].fetch_add(1, std::memory_order_relaxed);
  }
};

void AddHttpFamilies(const HttpCounters& counters, std::vector<prometheus::MetricFamily>& families);

}  // namespace omserve::server
