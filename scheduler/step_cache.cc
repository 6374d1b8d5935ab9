// SPDX-License-Identifier: Apache-2.0
#include "scheduler/step_cache.h"

#include <bit>
#include <cstring>
#include <utility>

namespace omserve::scheduler {

std::shared_ptr<const KnownOutputs> StepCache::Find(const ContentDigest& inputs) {
  const MutexLock lock(mu_);
  return known_.Find(inputs);
}

void StepCache::Keep(const ContentDigest& inputs, std::span<const KnownOutputs::Tensor> outputs) {
  size_t size_bytes = 0;
  for (const KnownOutputs::Tensor& output : outputs) {
    size_bytes += output.bytes.size();
  }
  const size_t taken_bytes = std::bit_ceil(size_bytes);  // Blocks of the pool are powers of two.
  {
    const MutexLock lock(mu_);
    if (known_.Contains(inputs)) {
      return;  // Of another request with these inputs, which was computed meanwhile.
    }
    if (taken_bytes > known_.max_bytes()) {
      known_.CountNotStored();
      return;
    }
    known_.MakeRoom(taken_bytes);  // First, so that the pool has it again.
  }
  absl::StatusOr<memory::HostBlock> block = pool_.Allocate(size_bytes);
  if (!block.ok()) {
    const MutexLock lock(mu_);
    known_.CountNotStored();
    return;
  }
  auto known = std::make_shared<KnownOutputs>();
  known->block = *std::move(block);
  std::span<std::byte> rest = known->block.bytes();
  for (const KnownOutputs::Tensor& output : outputs) {
    const std::span<std::byte> to = rest.first(output.bytes.size());
    if (!to.empty()) {
      std::memcpy(to.data(), output.bytes.data(), to.size());
    }
    known->tensors.push_back({.dims = output.dims, .bytes = to});
    rest = rest.subspan(to.size());
  }
  const MutexLock lock(mu_);
  known_.Put(inputs, std::move(known), taken_bytes);
}

void StepCache::Clear() {
  const MutexLock lock(mu_);
  known_.Clear();
}

CacheCounts StepCache::counts() const {
  const MutexLock lock(mu_);
  return known_.counts();
}

}  // namespace omserve::scheduler
