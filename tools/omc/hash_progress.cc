// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/hash_progress.h"

#include <fmt/format.h>

#include <cstdio>

namespace omserve::omc {
namespace {

constexpr uint64_t kLeastBytes = uint64_t{1} << 30;
constexpr double kGiB = 1 << 30;

}  // namespace

void HashProgress::Tell(uint64_t done_bytes, uint64_t total_bytes) {
  if (total_bytes <= kLeastBytes) {
    return;
  }
  const uint64_t tenths = done_bytes / (total_bytes / 10);
  uint64_t told = tenths_.load(std::memory_order_relaxed);
  while (told < tenths) {
    if (tenths_.compare_exchange_weak(told, tenths, std::memory_order_relaxed)) {
      fmt::print(stderr, "omc: {}: {:.1f} of {:.1f} GiB\n", what_,
                 static_cast<double>(done_bytes) / kGiB, static_cast<double>(total_bytes) / kGiB);
      return;
    }
  }
}

}  // namespace omserve::omc
