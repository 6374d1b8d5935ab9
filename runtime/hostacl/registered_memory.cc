// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/registered_memory.h"

#include <iterator>
#include <limits>

#include "runtime/hostacl/acl_status.h"

namespace omserve::hostacl {
namespace {

constexpr uintptr_t kAlignment = 4096;

}  // namespace

absl::Status RegisteredMemory::Register(void* address, uint64_t size_bytes) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(address);
  if (begin % kAlignment != 0 || size_bytes == 0 ||
      size_bytes > std::numeric_limits<uintptr_t>::max() - begin) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "registering host memory: {} bytes at {}; it starts on {} and is not empty",
                size_bytes, fmt::ptr(address), kAlignment);
  }
  const uintptr_t end = begin + size_bytes;
  const MutexLock lock(mu_);
  const auto next = ranges_.lower_bound(begin);
  const bool meets_next = next != ranges_.end() && next->first < end;
  const bool meets_previous = next != ranges_.begin() && std::prev(next)->second > begin;
  if (meets_next || meets_previous) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "registering host memory: {} bytes at {} meet memory that is registered",
                size_bytes, fmt::ptr(address));
  }
  ranges_.emplace(begin, end);
  return absl::OkStatus();
}

absl::Status RegisteredMemory::Unregister(void* address) {
  const MutexLock lock(mu_);
  if (ranges_.erase(reinterpret_cast<uintptr_t>(address)) == 0) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID, "unregistering host memory: {} is not registered",
                fmt::ptr(address));
  }
  return absl::OkStatus();
}

bool RegisteredMemory::Covers(const void* address, size_t count) const {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(address);
  const MutexLock lock(mu_);
  const auto next = ranges_.upper_bound(begin);
  if (next == ranges_.begin()) {
    return false;
  }
  const uintptr_t end = std::prev(next)->second;
  return begin <= end && count <= end - begin;
}

}  // namespace omserve::hostacl
