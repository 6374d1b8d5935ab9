// SPDX-License-Identifier: Apache-2.0
// What a step has put out, kept for inputs that come again: the same picture is encoded once.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "runtime/base/mutex.h"
#include "runtime/base/tensor.h"
#include "runtime/memory/host_pool.h"
#include "scheduler/content_digest.h"
#include "scheduler/lru_cache.h"

namespace omserve::scheduler {

// The outputs of one step for one request's inputs.
struct KnownOutputs {
  struct Tensor {
    Dims dims;                         // Full dims.
    std::span<const std::byte> bytes;  // Within `block`.
  };
  std::vector<Tensor> tensors;  // By the step's outputs; empty where one is mapped to nothing.
  memory::HostBlock block;
};

// Outputs are kept in pinned memory, from where any device takes them; they outlive a device that
// is lost. Bounded in bytes: what was not used for longest goes first. Thread-safe.
class StepCache final {
 public:
  // `pool` outlives it and all that was found in it.
  StepCache(memory::HostPool& pool, size_t max_bytes)
      : pool_(pool), max_bytes_(max_bytes), known_(max_bytes) {}

  // Null when it is not there. Counts either way.
  std::shared_ptr<const KnownOutputs> Find(const ContentDigest& inputs) ABSL_LOCKS_EXCLUDED(mu_);
  // Keeps a copy: a row that stays must not hold the block of its whole batch. Keeps nothing when
  // no memory is free: requests come first.
  void Keep(const ContentDigest& inputs, std::span<const KnownOutputs::Tensor> outputs)
      ABSL_LOCKS_EXCLUDED(mu_);

  // Forgets all; what others hold of it lives on with them.
  void Clear() ABSL_LOCKS_EXCLUDED(mu_);

  CacheCounts counts() const ABSL_LOCKS_EXCLUDED(mu_);
  size_t max_bytes() const { return max_bytes_; }

 private:
  memory::HostPool& pool_;  // Its lock may be taken under ours, and takes none itself.
  const size_t max_bytes_;
  mutable Mutex mu_;
  LruCache<ContentDigest, KnownOutputs, ContentDigestHash> known_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::scheduler
