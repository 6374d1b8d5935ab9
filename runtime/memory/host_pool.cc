// SPDX-License-Identifier: Apache-2.0
#include "runtime/memory/host_pool.h"

#include <algorithm>
#include <bit>
#include <optional>

#include "runtime/base/check.h"
#include "runtime/base/errors.h"

namespace omserve::memory {
namespace {

constexpr size_t kUnitBytes = 64;

size_t BlockBytes(int order) { return kUnitBytes << order; }

// The least order whose block holds `size_bytes`. Requires size_bytes <= 2^63.
int OrderFor(size_t size_bytes) {
  const size_t units = size_bytes <= kUnitBytes ? 1 : (size_bytes - 1) / kUnitBytes + 1;
  return static_cast<int>(std::bit_width(units - 1));
}

}  // namespace

HostBlock& HostBlock::operator=(HostBlock&& other) noexcept {
  // The old block goes back with the local; assigned to itself, the block stays as it is.
  HostBlock old_block(std::move(other));
  std::swap(pool_, old_block.pool_);
  std::swap(data_, old_block.data_);
  std::swap(size_bytes_, old_block.size_bytes_);
  std::swap(order_, old_block.order_);
  return *this;
}

HostBlock::~HostBlock() {
  if (pool_ != nullptr) {
    pool_->Free(data_, order_);
  }
}

absl::StatusOr<std::unique_ptr<HostPool>> HostPool::Create(const acl::Device& device,
                                                           size_t size_bytes) {
  const size_t whole_bytes = size_bytes / kUnitBytes * kUnitBytes;
  if (whole_bytes == 0) {
    return InvalidArgument("pinned host pool of {} bytes: expected {} or more", size_bytes,
                           kUnitBytes);
  }
  absl::StatusOr<acl::HostBuffer> buffer = device.AllocateHost(whole_bytes);
  if (!buffer.ok()) {
    return WithContext(buffer.status(), fmt::format("pinned host pool of {} bytes", size_bytes));
  }
  // The constructor is private, which std::make_unique cannot reach.
  return std::unique_ptr<HostPool>(new HostPool(std::move(buffer).value()));
}

HostPool::HostPool(acl::HostBuffer buffer)
    : buffer_(std::move(buffer)),
      size_bytes_(buffer_.bytes().size()),
      max_order_(static_cast<int>(std::bit_width(size_bytes_ / kUnitBytes)) - 1) {
  const size_t units = size_bytes_ / kUnitBytes;
  size_t offset = 0;
  for (int order = 0; order <= max_order_; ++order) {
    free_.emplace_back(units >> order);
  }
  // A size that is no power of two is the sum of some: the largest first, so that each block starts
  // at a multiple of its own size.
  for (int order = max_order_; order >= 0; --order) {
    if ((units >> order) % 2 == 1) {
      free_[static_cast<size_t>(order)].Insert(offset >> order);
      offset += size_t{1} << order;
    }
  }
}

HostPool::~HostPool() {
  OMSERVE_CHECK(used_bytes() == 0, "every host block is back before its pool goes");
}

absl::StatusOr<HostBlock> HostPool::Allocate(size_t size_bytes) {
  if (size_bytes > BlockBytes(max_order_)) {
    return InvalidArgument(
        "{} bytes of pinned host memory: the pool's largest block is {} of its {} bytes; send less "
        "at "
        "once, or enlarge the pool",
        size_bytes, BlockBytes(max_order_), size_bytes_);
  }
  const int order = OrderFor(size_bytes);
  MutexLock lock(mu_);
  int from = order;
  std::optional<size_t> block;
  for (; from <= max_order_; ++from) {
    block = free_[static_cast<size_t>(from)].Least();
    if (block.has_value()) {
      break;
    }
  }
  if (!block.has_value()) {
    return Unavailable(
        "{} bytes of pinned host memory: {} of the pool's {} bytes are in use and no free block is "
        "large enough; retry when requests have ended, or enlarge the pool",
        size_bytes, used_bytes_, size_bytes_);
  }
  free_[static_cast<size_t>(from)].Erase(*block);
  while (from > order) {
    --from;
    *block *= 2;
    free_[static_cast<size_t>(from)].Insert(*block + 1);
  }
  used_bytes_ += BlockBytes(order);
  peak_bytes_ = std::max(peak_bytes_, used_bytes_);
  return HostBlock(this, buffer_.bytes().data() + *block * BlockBytes(order), size_bytes, order);
}

void HostPool::Free(std::byte* data, int order) {
  MutexLock lock(mu_);
  used_bytes_ -= BlockBytes(order);
  size_t block = static_cast<size_t>(data - buffer_.bytes().data()) / BlockBytes(order);
  // The last block of an order may have no buddy: that number is not in the set.
  while (order < max_order_ && free_[static_cast<size_t>(order)].Contains(block ^ 1)) {
    free_[static_cast<size_t>(order)].Erase(block ^ 1);
    block /= 2;
    ++order;
  }
  free_[static_cast<size_t>(order)].Insert(block);
}

size_t HostPool::used_bytes() const {
  MutexLock lock(mu_);
  return used_bytes_;
}

size_t HostPool::peak_bytes() const {
  MutexLock lock(mu_);
  return peak_bytes_;
}

}  // namespace omserve::memory
