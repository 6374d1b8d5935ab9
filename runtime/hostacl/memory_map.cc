// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/memory_map.h"

#include <algorithm>
#include <cstring>

#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/copy_time.h"

namespace omserve::hostacl {

std::shared_ptr<Device> MemoryMap::DeviceOf(const void* address) const {
  const auto found = std::find_if(
      devices_.begin(), devices_.end(),
      [address](const std::shared_ptr<Device>& d) { return d->memory().Contains(address); });
  return found == devices_.end() ? nullptr : *found;
}

absl::StatusOr<std::byte*> MemoryMap::Translate(const Device& device, const void* address,
                                                size_t count, DeviceMemory::Slack slack) const {
  absl::StatusOr<std::byte*> bytes = device.memory().Translate(address, count, slack);
  if (!bytes.ok() && order_ != nullptr) {
    order_->TouchedNothing(address, count);
  }
  return bytes;
}

absl::StatusOr<std::byte*> MemoryMap::DeviceBytes(const void* address, size_t count,
                                                  DeviceMemory::Slack slack) const {
  const std::shared_ptr<Device> device = DeviceOf(address);
  if (device != nullptr) {
    return Translate(*device, address, count, slack);
  }
  const bool one_memory = run_mode_ == ACL_DEVICE && pinned_.Covers(address, count);
  if (one_memory || registered_.Covers(address, count)) {
    return const_cast<std::byte*>(static_cast<const std::byte*>(address));  // NOLINT: as above.
  }
  return Fail(ACL_ERROR_RT_PARAM_INVALID,
              "{} is not device memory; a model reads and writes what aclrtMalloc gave",
              fmt::ptr(address));
}

absl::StatusOr<std::byte*> MemoryMap::AnyBytes(const void* address, size_t count,
                                               HostMemory host) const {
  const std::shared_ptr<Device> device = DeviceOf(address);
  if (device != nullptr) {
    return Translate(*device, address, count, DeviceMemory::Slack::kNone);
  }
  if (host == HostMemory::kLocked && !IsLockedHost(address, count)) {
    if (order_ != nullptr) {
      order_->TouchedNothing(address, count);
    }
    return Fail(ACL_ERROR_RT_SYS_DMA, "{} bytes at {} were freed before the copy ran", count,
                fmt::ptr(address));
  }
  return const_cast<std::byte*>(static_cast<const std::byte*>(address));  // NOLINT: see Copy.
}

absl::StatusOr<std::byte*> MemoryMap::UseDeviceBytes(const void* address, size_t count,
                                                     DeviceMemory::Slack slack,
                                                     bool is_write) const {
  if (order_ == nullptr) {
    return DeviceBytes(address, count, slack);
  }
  const MutexLock lock(use_mu_);
  ASSIGN_OR_RETURN(std::byte* const bytes, DeviceBytes(address, count, slack));
  order_->Touched(address, count, is_write);
  return bytes;
}

absl::Status MemoryMap::MoveHere(const CopyRequest& request) const {
  ASSIGN_OR_RETURN(std::byte* const target, AnyBytes(request.target, request.count, request.host));
  ASSIGN_OR_RETURN(const std::byte* const source,
                   AnyBytes(request.source, request.count, request.host));
  Touch(request.source, request.count, /*is_write=*/false);
  Touch(request.target, request.count, /*is_write=*/true);
  // The caller may overlap them; on the chip that is as undefined as with memcpy, here it is not.
  std::memmove(target, source, request.count);
  return absl::OkStatus();
}

absl::Status MemoryMap::Move(const CopyRequest& request) const {
  if (order_ == nullptr) {
    return MoveHere(request);
  }
  const MutexLock lock(use_mu_);
  return MoveHere(request);
}

absl::Status MemoryMap::SetHere(void* target, int32_t value, size_t count) const {
  ASSIGN_OR_RETURN(std::byte* const bytes, AnyBytes(target, count, HostMemory::kAny));
  Touch(target, count, /*is_write=*/true);
  std::memset(bytes, value, count);
  return absl::OkStatus();
}

absl::Status MemoryMap::Set(void* target, int32_t value, size_t count) const {
  if (order_ == nullptr) {
    return SetHere(target, value, count);
  }
  const MutexLock lock(use_mu_);
  return SetHere(target, value, count);
}

absl::Status MemoryMap::FreeDevice(void* address) const {
  const std::shared_ptr<Device> device = DeviceOf(address);
  if (device == nullptr) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID, "aclrtFree: {} is not device memory",
                fmt::ptr(address));
  }
  if (order_ == nullptr) {
    return device->memory().Free(address);
  }
  const MutexLock lock(use_mu_);
  order_->Freed(address);
  return device->memory().Free(address);
}

absl::Status MemoryMap::FreePinned(void* address) {
  if (order_ == nullptr) {
    return pinned_.Free(address);
  }
  const MutexLock lock(use_mu_);
  order_->Freed(address);
  return pinned_.Free(address);
}

absl::Status CheckCopy(const CopyRequest& request, aclrtMemcpyKind kind) {
  if (request.target == nullptr || request.source == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "copy: the {} address is null",
                request.target == nullptr ? "target" : "source");
  }
  const int number = static_cast<int>(kind);
  if (number < ACL_MEMCPY_HOST_TO_HOST || number > ACL_MEMCPY_INTER_DEVICE_TO_DEVICE) {
    return Fail(ACL_ERROR_INVALID_PARAM, "copy: kind {} is none; they are 0 to 7", number);
  }
  if (request.count > request.target_limit) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID, "copy: {} bytes to a target of {} bytes", request.count,
                request.target_limit);
  }
  return absl::OkStatus();
}

absl::Status Copy(const MemoryMap& map, const CopyRequest& request) {
  if (request.count == 0) {
    return absl::OkStatus();
  }
  CopyTime time(map, request.target, request.source, request.count);
  RETURN_IF_ERROR(map.Move(request));
  time.Pass();
  return absl::OkStatus();
}

absl::Status CopyRows(const MemoryMap& map, const CopyRequest& first_row, size_t target_pitch,
                      size_t source_pitch, size_t height) {
  CopyTime time(map, first_row.target, first_row.source, first_row.count * height);
  CopyRequest row = first_row;
  for (size_t y = 0; y < height; ++y) {
    row.target = static_cast<std::byte*>(first_row.target) + y * target_pitch;
    row.source = static_cast<const std::byte*>(first_row.source) + y * source_pitch;
    RETURN_IF_ERROR(map.Move(row));
  }
  time.Pass();
  return absl::OkStatus();
}

}  // namespace omserve::hostacl
