// SPDX-License-Identifier: Apache-2.0
// Pinned host memory for request and response tensors: taken once, handed out in blocks of power of
// two sizes carved from one region.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/acl/device.h"
#include "runtime/base/mutex.h"
#include "runtime/memory/free_bits.h"

namespace omserve::memory {

class HostPool;

// A pinned block; returns to its pool at destruction. Move-only. The pool outlives it.
class HostBlock final {
 public:
  HostBlock() = default;
  HostBlock(HostBlock&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_bytes_(std::exchange(other.size_bytes_, 0)),
        order_(other.order_) {}
  HostBlock& operator=(HostBlock&& other) noexcept;
  ~HostBlock();

  // The size asked for, 64-byte aligned. Contents undefined.
  std::span<std::byte> bytes() const { return {data_, size_bytes_}; }
  explicit operator bool() const { return data_ != nullptr; }

 private:
  friend class HostPool;
  HostBlock(HostPool* pool, std::byte* data, size_t size_bytes, int order)
      : pool_(pool), data_(data), size_bytes_(size_bytes), order_(order) {}

  HostPool* pool_ = nullptr;
  std::byte* data_ = nullptr;
  size_t size_bytes_ = 0;
  int order_ = 0;
};

// Thread-safe. Buddy allocation: blocks of 64 << order bytes; freed buddies join.
class HostPool final {
 public:
  // `size_bytes` is rounded down to whole 64 bytes; it need not be a power of two. Errors:
  // kInvalidArgument below 64, AscendCL's when the memory cannot be had.
  static absl::StatusOr<std::unique_ptr<HostPool>> Create(const acl::Device& device,
                                                          size_t size_bytes);
  HostPool(const HostPool&) = delete;
  HostPool& operator=(const HostPool&) = delete;
  // Requires that every block has come back.
  ~HostPool();

  // The least address that fits, in logarithmic time, without allocating. Size 0 gives a block with
  // an empty span. Errors: kUnavailable when the pool is used up at the moment,
  // kInvalidArgument when it could never hold so much; both with the numbers.
  absl::StatusOr<HostBlock> Allocate(size_t size_bytes) ABSL_LOCKS_EXCLUDED(mu_);

  size_t size_bytes() const { return size_bytes_; }
  size_t used_bytes() const ABSL_LOCKS_EXCLUDED(mu_);
  size_t peak_bytes() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  friend class HostBlock;
  explicit HostPool(acl::HostBuffer buffer);
  void Free(std::byte* data, int order) ABSL_LOCKS_EXCLUDED(mu_);

  acl::HostBuffer buffer_;
  size_t size_bytes_;
  int max_order_;

  mutable Mutex mu_;
  // Free blocks per order: block n of an order starts at n times the order's size, and its buddy is
  // the one whose number differs in the last bit.
  std::vector<FreeBits> free_ ABSL_GUARDED_BY(mu_);
  size_t used_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  size_t peak_bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace omserve::memory
