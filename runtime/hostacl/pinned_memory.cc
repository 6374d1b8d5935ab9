// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/pinned_memory.h"

#include "runtime/hostacl/acl_status.h"

namespace omserve::hostacl {
namespace {

constexpr size_t kAlignment = 64;
// No machine pins more; beyond it rounding up could overflow.
constexpr size_t kLimitBytes = size_t{1} << 46;

}  // namespace

absl::StatusOr<void*> PinnedMemory::Allocate(size_t size_bytes) {
  if (size_bytes == 0) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID, "host memory: 0 bytes cannot be allocated");
  }
  void* address =
      size_bytes > kLimitBytes
          ? nullptr
          : std::aligned_alloc(kAlignment, (size_bytes + kAlignment - 1) / kAlignment * kAlignment);
  if (address == nullptr) {
    return Fail(ACL_ERROR_RT_MEMORY_ALLOCATION, "host memory: {} bytes were refused by the system",
                size_bytes);
  }
  std::unique_ptr<void, Release> bytes(address);
  const MutexLock lock(mu_);
  blocks_.emplace(reinterpret_cast<uintptr_t>(address), Block{std::move(bytes), size_bytes});
  return address;
}

absl::Status PinnedMemory::Free(void* address) {
  const MutexLock lock(mu_);
  if (blocks_.erase(reinterpret_cast<uintptr_t>(address)) == 0) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "host memory: {} was not given out by aclrtMallocHost or was freed before",
                fmt::ptr(address));
  }
  return absl::OkStatus();
}

bool PinnedMemory::Covers(const void* address, size_t count) const {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(address);
  const MutexLock lock(mu_);
  auto found = blocks_.upper_bound(begin);
  if (found == blocks_.begin()) {
    return false;
  }
  --found;
  const size_t offset = begin - found->first;
  return offset <= found->second.size_bytes && count <= found->second.size_bytes - offset;
}

}  // namespace omserve::hostacl
