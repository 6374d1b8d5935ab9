// SPDX-License-Identifier: Apache-2.0
#include "runtime/memory/device_pool.h"

#include <algorithm>
#include <iterator>

#include "runtime/base/check.h"
#include "runtime/base/device_piece.h"
#include "runtime/base/errors.h"

namespace omserve::memory {

absl::StatusOr<std::unique_ptr<DevicePool>> DevicePool::Create(const acl::Device& device,
                                                               size_t size_bytes) {
  const size_t whole_bytes = size_bytes / kDevicePieceAlignment * kDevicePieceAlignment;
  if (whole_bytes == 0) {
    return InvalidArgument("memory pool of {} bytes on device {}: expected {} or more", size_bytes,
                           device.id(), kDevicePieceAlignment);
  }
  absl::StatusOr<acl::DeviceBuffer> buffer = device.Allocate(whole_bytes);
  if (!buffer.ok()) {
    return WithContext(buffer.status(), fmt::format("memory pool of {} bytes on device {}",
                                                    size_bytes, device.id()));
  }
  // The constructor is private, which std::make_unique cannot reach.
  return std::unique_ptr<DevicePool>(new DevicePool(std::move(buffer).value()));
}

DevicePool::DevicePool(acl::DeviceBuffer buffer) : buffer_(std::move(buffer)) {
  AddFree(0, buffer_.size_bytes());
}

DevicePool::~DevicePool() {
  OMSERVE_CHECK(used_by_offset_.empty(), "every device block is freed before its pool goes");
}

void DevicePool::AddFree(size_t offset, size_t size_bytes) {
  free_by_offset_.emplace(offset, size_bytes);
  free_by_size_.emplace(size_bytes, offset);
}

void DevicePool::RemoveFree(std::map<size_t, size_t>::iterator piece) {
  free_by_size_.erase({piece->second, piece->first});
  free_by_offset_.erase(piece);
}

absl::StatusOr<acl::DevicePtr> DevicePool::Allocate(size_t size_bytes) {
  // Compared first, so that the rounding cannot overflow.
  const bool possible = size_bytes <= buffer_.size_bytes();
  const size_t piece_bytes = possible ? DevicePieceBytes(size_bytes) : 0;
  const auto fit = possible ? free_by_size_.lower_bound({piece_bytes, 0}) : free_by_size_.end();
  if (fit == free_by_size_.end()) {
    const size_t largest_bytes = free_by_size_.empty() ? 0 : free_by_size_.rbegin()->first;
    return ResourceExhausted(
        "{} bytes of device memory: {} of the pool's {} bytes are free, {} in one piece; enlarge "
        "the "
        "pool, or lower the batch sizes or the number of requests in flight",
        size_bytes, buffer_.size_bytes() - used_bytes_, buffer_.size_bytes(), largest_bytes);
  }
  const size_t offset = fit->second;
  const size_t rest_bytes = fit->first - piece_bytes;
  RemoveFree(free_by_offset_.find(offset));
  if (rest_bytes != 0) {
    AddFree(offset + piece_bytes, rest_bytes);
  }
  used_by_offset_.emplace(offset, piece_bytes);
  used_bytes_ += piece_bytes;
  peak_bytes_ = std::max(peak_bytes_, used_bytes_);
  ++allocations_;
  return buffer_.get() + offset;
}

void DevicePool::Free(acl::DevicePtr block) {
  const auto used = used_by_offset_.find(block.address - buffer_.get().address);
  OMSERVE_CHECK(used != used_by_offset_.end(), "a freed block came from this pool and only once");
  size_t offset = used->first;
  size_t size_bytes = used->second;
  used_bytes_ -= size_bytes;
  used_by_offset_.erase(used);
  const auto next = free_by_offset_.find(offset + size_bytes);
  if (next != free_by_offset_.end()) {
    size_bytes += next->second;
    RemoveFree(next);
  }
  const auto after = free_by_offset_.lower_bound(offset);
  if (after != free_by_offset_.begin()) {
    const auto before = std::prev(after);
    if (before->first + before->second == offset) {
      offset = before->first;
      size_bytes += before->second;
      RemoveFree(before);
    }
  }
  AddFree(offset, size_bytes);
}

}  // namespace omserve::memory
