// SPDX-License-Identifier: Apache-2.0
// What there is to count of access.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

namespace omserve::server {

enum class AccessRefusal {
  kRestricted,  // A header of auth.grpc_restricted or auth.http_restricted is missing.
  kAdminPort,   // A control operation came to a public port.
  kNoCredentials,
  kUnknownToken,
  kUnknownCertificate,
  kRole,
  kModel,
};
inline constexpr size_t kAccessRefusals = 7;

// Thread-safe: counts by themselves, of which none says anything about another.
struct AccessCounters {
  std::array<std::atomic<uint64_t>, kAccessRefusals> refused{};
  std::atomic<uint64_t> file_reads{0};     // Of auth.file, where it had changed,
  std::atomic<uint64_t> file_failures{0};  // and those that were of no use.

  void Count(AccessRefusal why) {
    refused[static_cast<size_t>(why)].fetch_add(1, std::memory_order_relaxed);
  }
};

}  // namespace omserve::server
