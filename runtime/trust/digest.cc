// SPDX-License-Identifier: Apache-2.0
#include "runtime/trust/digest.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "runtime/base/thread.h"

namespace omserve::trust {

std::vector<ByteRange> ShardsOf(uint64_t size_bytes, uint64_t shard_bytes) {
  if (shard_bytes == 0) {
    return {{.begin = 0, .end = size_bytes}};
  }
  std::vector<ByteRange> shards;
  for (uint64_t begin = 0; begin < size_bytes;) {
    const uint64_t end = begin + std::min(shard_bytes, size_bytes - begin);
    shards.push_back({.begin = begin, .end = end});
    begin = end;
  }
  return shards;
}

void ForEachIndex(size_t count, int threads, const std::function<void(size_t)>& body) {
  // Relaxed: it only deals out indexes. What the bodies wrote is seen after the joins.
  std::atomic<size_t> next = 0;
  const auto work = [&next, count, &body] {
    for (size_t i = next.fetch_add(1, std::memory_order_relaxed); i < count;
         i = next.fetch_add(1, std::memory_order_relaxed)) {
      body(i);
    }
  };
  std::vector<std::jthread> helpers;
  const size_t wanted = std::min(count, static_cast<size_t>(std::max(threads, 1)));
  for (size_t i = 1; i < wanted; ++i) {
    helpers.push_back(TryStartThread(fmt::format("digest-{}", i), work));
  }
  work();
}

}  // namespace omserve::trust
