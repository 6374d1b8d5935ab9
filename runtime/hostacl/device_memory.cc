// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/device_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <iterator>

#include "runtime/base/errno_text.h"
#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/fault_plan.h"

namespace omserve::hostacl {
namespace {

constexpr size_t kStartAlignment = 64;
constexpr size_t kSizeAlignment = 32;
// A chip maps pages, so fragments never refuse an allocation that the bytes allow. The range is
// larger than the memory to come near to that with an allocator of extents.
constexpr size_t kRangeFactor = 4;

size_t AlignUp(size_t value, size_t alignment) {
  return (value + alignment - 1) / alignment * alignment;
}

absl::StatusOr<uintptr_t> MapRange(size_t size_bytes, int protection, const char* what) {
  void* begin =
      mmap(nullptr, size_bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (begin == MAP_FAILED) {
    return Fail(ACL_ERROR_RT_MEMORY_ALLOCATION,
                "{} bytes of address space for {} were refused by the system ({}); lower "
                "memory_bytes or raise the limit (ulimit -v, vm.overcommit_memory)",
                size_bytes, what, ErrnoText());
  }
  return reinterpret_cast<uintptr_t>(begin);
}

}  // namespace

absl::StatusOr<std::unique_ptr<DeviceMemory>> DeviceMemory::Create(const Options& options) {
  std::unique_ptr<DeviceMemory> memory(new DeviceMemory(options));  // NOLINT: private constructor.
  RETURN_IF_ERROR(memory->Map());
  return memory;
}

absl::Status DeviceMemory::Map() {
  range_bytes_ = options_.capacity_bytes * kRangeFactor;
  ASSIGN_OR_RETURN(host_begin_, MapRange(range_bytes_, PROT_READ | PROT_WRITE, "device memory"));
  device_begin_ = host_begin_;
  if (options_.separate_address_space) {
    ASSIGN_OR_RETURN(device_begin_, MapRange(range_bytes_, PROT_NONE, "device addresses"));
  }
  const MutexLock lock(mu_);
  free_.emplace(device_begin_, device_begin_ + range_bytes_);
  return absl::OkStatus();
}

DeviceMemory::~DeviceMemory() {
  if (host_begin_ != 0) {
    munmap(reinterpret_cast<void*>(host_begin_), range_bytes_);
  }
  if (device_begin_ != 0 && device_begin_ != host_begin_) {
    munmap(reinterpret_cast<void*>(device_begin_), range_bytes_);
  }
}

absl::StatusOr<void*> DeviceMemory::Allocate(size_t size_bytes, size_t extra_bytes) {
  if (size_bytes == 0) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID, "device {}: an allocation of 0 bytes is not possible",
                options_.device_index);
  }
  const MutexLock lock(mu_);
  const size_t free_bytes = options_.capacity_bytes - used_bytes_;
  // Tested before rounding, so that no size overflows.
  const size_t accounted = size_bytes > options_.capacity_bytes
                               ? size_bytes
                               : AlignUp(size_bytes, kSizeAlignment) + extra_bytes;
  const size_t extent =
      size_bytes > options_.capacity_bytes ? 0 : AlignUp(accounted, kStartAlignment);
  if (FaultPlan& faults = ProcessFaults(); faults.armed()) {
    RETURN_IF_ERROR(faults.OnAllocation(options_.device_index, used_bytes_ + accounted));
  }
  // First fit by address: blocks that live long gather at the low end.
  const auto fits = [extent](const auto& hole) { return hole.second - hole.first >= extent; };
  const auto hole = std::find_if(free_.begin(), free_.end(), fits);
  if (accounted > free_bytes || extent == 0 || hole == free_.end()) {
    return Fail(ACL_ERROR_RT_MEMORY_ALLOCATION,
                "device {}: out of memory: {} bytes were asked for, {} of {} are free",
                options_.device_index, size_bytes, free_bytes, options_.capacity_bytes);
  }
  const uintptr_t begin = hole->first;
  const uintptr_t end = hole->second;
  free_.erase(hole);
  if (begin + extent < end) {
    free_.emplace(begin + extent, end);
  }
  live_.emplace(begin, Allocation{size_bytes, accounted, extent});
  used_bytes_ += accounted;
  return reinterpret_cast<void*>(begin);
}

absl::Status DeviceMemory::Free(void* address) {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(address);
  const MutexLock lock(mu_);
  const auto found = live_.find(begin);
  if (found == live_.end()) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "device {}: {} is not the start of a live allocation; was it freed before?",
                options_.device_index, fmt::ptr(address));
  }
  const Allocation freed = found->second;
  used_bytes_ -= freed.accounted_bytes;
  live_.erase(found);
  const auto [hole_begin, hole_end] = AddFreeLocked(begin, begin + freed.extent_bytes);
  // Only the pages that this block touched: those of its neighbours were given back before.
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  ReleasePages(std::max(hole_begin, begin / page * page),
               std::min(hole_end, AlignUp(begin + freed.extent_bytes, page)));
  return absl::OkStatus();
}

void DeviceMemory::FreeAll() {
  const MutexLock lock(mu_);
  live_.clear();
  free_.clear();
  free_.emplace(device_begin_, device_begin_ + range_bytes_);
  used_bytes_ = 0;
  ReleasePages(device_begin_, device_begin_ + range_bytes_);
}

std::pair<uintptr_t, uintptr_t> DeviceMemory::AddFreeLocked(uintptr_t begin, uintptr_t end) {
  auto next = free_.lower_bound(begin);
  if (next != free_.end() && next->first == end) {
    end = next->second;
    next = free_.erase(next);
  }
  if (next != free_.begin()) {
    const auto previous = std::prev(next);
    if (previous->second == begin) {
      previous->second = end;
      return {previous->first, end};
    }
  }
  free_.emplace(begin, end);
  return {begin, end};
}

void DeviceMemory::ReleasePages(uintptr_t begin, uintptr_t end) const {
  const uintptr_t page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t first = AlignUp(begin, page);
  const uintptr_t last = end / page * page;
  if (first < last) {
    madvise(reinterpret_cast<void*>(first - device_begin_ + host_begin_), last - first,
            MADV_DONTNEED);
  }
}

bool DeviceMemory::Contains(const void* address) const {
  const uintptr_t value = reinterpret_cast<uintptr_t>(address);
  return value >= device_begin_ && value - device_begin_ < range_bytes_;
}

absl::StatusOr<std::byte*> DeviceMemory::Translate(const void* address, size_t count,
                                                   Slack slack) const {
  const uintptr_t begin = reinterpret_cast<uintptr_t>(address);
  const MutexLock lock(mu_);
  auto found = live_.upper_bound(begin);
  if (found == live_.begin()) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "device {}: address {} lies in no live allocation; was it freed?",
                options_.device_index, fmt::ptr(address));
  }
  --found;
  const size_t offset = begin - found->first;
  const size_t reach =
      slack == Slack::kNone ? found->second.requested_bytes : found->second.extent_bytes;
  if (offset > reach || count > reach - offset) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "device {}: {} bytes at {} do not lie in one live allocation; the nearest below "
                "begins at {:#x} and has {} bytes",
                options_.device_index, count, fmt::ptr(address), found->first,
                found->second.requested_bytes);
  }
  return reinterpret_cast<std::byte*>(begin - device_begin_ + host_begin_);
}

size_t DeviceMemory::free_bytes() const {
  const MutexLock lock(mu_);
  return options_.capacity_bytes - used_bytes_;
}

}  // namespace omserve::hostacl
