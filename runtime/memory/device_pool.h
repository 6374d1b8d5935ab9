// SPDX-License-Identifier: Apache-2.0
// Device memory for tensors between steps, taken once at start and handed out in 64-byte aligned
// blocks, best fit, neighbours joined when freed. Stream-ordered use is the caller's: a block is
// freed when no enqueued task can touch it any longer.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/status/statusor.h"
#include "runtime/acl/device.h"

namespace omserve::memory {

// Thread-compatible (confined to the device thread).
class DevicePool final {
 public:
  // Rounded down to whole 64 bytes. Errors: kInvalidArgument below 64, AscendCL's when the memory
  // cannot be had.
  static absl::StatusOr<std::unique_ptr<DevicePool>> Create(const acl::Device& device,
                                                            size_t size_bytes);
  DevicePool(const DevicePool&) = delete;
  DevicePool& operator=(const DevicePool&) = delete;
  // Requires that every block is free.
  ~DevicePool();

  // Contents undefined. A block takes the size rounded up to 32, 32 more (AscendCL's rule for
  // sub-allocation) and the rest to 64; used_bytes counts all of it. Size 0 gives a block of 64
  // bytes. Errors: kResourceExhausted with the size asked for, what is free and the largest free
  // piece.
  absl::StatusOr<acl::DevicePtr> Allocate(size_t size_bytes);
  // Requires a pointer from Allocate that was not freed.
  void Free(acl::DevicePtr block);

  size_t size_bytes() const { return buffer_.size_bytes(); }
  size_t used_bytes() const { return used_bytes_; }
  size_t peak_bytes() const { return peak_bytes_; }
  // Blocks handed out so far.
  uint64_t allocations() const { return allocations_; }

 private:
  explicit DevicePool(acl::DeviceBuffer buffer);
  void AddFree(size_t offset, size_t size_bytes);
  void RemoveFree(std::map<size_t, size_t>::iterator piece);

  acl::DeviceBuffer buffer_;
  std::map<size_t, size_t> free_by_offset_;           // offset -> size
  std::set<std::pair<size_t, size_t>> free_by_size_;  // (size, offset)
  std::map<size_t, size_t> used_by_offset_;           // offset -> size
  size_t used_bytes_ = 0;
  size_t peak_bytes_ = 0;
  uint64_t allocations_ = 0;
};

}  // namespace omserve::memory
