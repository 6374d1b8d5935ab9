// SPDX-License-Identifier: Apache-2.0
// The memory of one device: an address range, an allocator over it, and the bytes behind it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>

#include "absl/status/statusor.h"
#include "runtime/base/mutex.h"

namespace omserve::hostacl {

// What aclrtMalloc adds to a rounded size.
inline constexpr size_t kMallocExtraBytes = 32;

// Device addresses and the bytes are two mappings of the same length. A device address becomes the
// address of its bytes by adding a constant. With a separate address space the first mapping allows
// no access, so a program that touches device memory from the host stops at once, as it should;
// with one memory the constant is 0.
//
// Thread-safe. Invariants: 1. free and live extents tile the range; 2. two free extents never
// touch;
// 3. used bytes are the sum of what live allocations account for.
class DeviceMemory final {
 public:
  struct Options {
    size_t capacity_bytes = 0;
    bool separate_address_space = true;
    int32_t device_index = 0;  // For messages.
  };
  // ACL_ERROR_RT_MEMORY_ALLOCATION when the machine has no address space for it.
  static absl::StatusOr<std::unique_ptr<DeviceMemory>> Create(const Options& options);
  ~DeviceMemory();
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;

  // A device address that starts on 64 bytes. `size_bytes` is rounded up to 32 and `extra_bytes`
  // are added, which is what AscendCL takes from the device. Not zeroed. Errors:
  // ACL_ERROR_RT_PARAM_INVALID for 0, ACL_ERROR_RT_MEMORY_ALLOCATION with what is free.
  absl::StatusOr<void*> Allocate(size_t size_bytes, size_t extra_bytes);
  // Gives the pages back to the machine. ACL_ERROR_RT_PARAM_INVALID when `address` is not the start
  // of a live allocation.
  absl::Status Free(void* address);

  // As after Create: every allocation is gone.
  void FreeAll() ABSL_LOCKS_EXCLUDED(mu_);

  // Whether `address` lies in this device's range, live or not.
  bool Contains(const void* address) const;

  // How far past the requested size an access may go.
  enum class Slack {
    kNone,     // Not at all: copies.
    kPadding,  // Into the padding that every allocation has: models, whose I/O the chip pads.
  };
  // The bytes behind [address, address + count), which must lie in one live allocation.
  // ACL_ERROR_RT_PARAM_INVALID naming the address and the nearest allocation.
  absl::StatusOr<std::byte*> Translate(const void* address, size_t count, Slack slack) const;

  size_t capacity_bytes() const { return options_.capacity_bytes; }
  size_t free_bytes() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Allocation {
    size_t requested_bytes;
    size_t accounted_bytes;
    size_t extent_bytes;  // Of the range; a multiple of 64.
  };

  explicit DeviceMemory(const Options& options) : options_(options) {}
  absl::Status Map();
  void ReleasePages(uintptr_t begin, uintptr_t end) const;
  // Joins [begin, end) with its free neighbours; gives the joined extent.
  std::pair<uintptr_t, uintptr_t> AddFreeLocked(uintptr_t begin, uintptr_t end)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  // Constant after Create.
  const Options options_;
  size_t range_bytes_ = 0;
  uintptr_t device_begin_ = 0;
  uintptr_t host_begin_ = 0;

  mutable Mutex mu_;
  std::map<uintptr_t, Allocation> live_ ABSL_GUARDED_BY(mu_);  // By device address.
  std::map<uintptr_t, uintptr_t> free_ ABSL_GUARDED_BY(mu_);   // Begin to end.
  size_t used_bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace omserve::hostacl
