// SPDX-License-Identifier: Apache-2.0
// DeviceBuffer, HostBuffer and RegisteredHost: owners of what aclrtMalloc, aclrtMallocHost and
// aclrtHostRegister give.
#include <utility>

#include "runtime/acl/device.h"
#include "runtime/acl/status.h"
#include "runtime/acl/symbols.h"
#include "runtime/base/log.h"
#include "runtime/base/status_macros.h"

namespace omserve::acl {
namespace {

// A destructor has nobody to return a status to.
void LogFailure(const Device& device, const char* function, aclError code) {
  if (code != ACL_SUCCESS) {
    OMSERVE_LOG(kError, "acl", "memory not freed device={} {}", device.id(),
                MessageOf(AclStatus(device.symbols(), function, code)));
  }
}

// Calls `release`, which frees something of the device. The thread may have been bound before the
// device was lost and opened again; then its context is gone, and the device's present one serves.
template <typename Release>
aclError ReleaseOn(const Device& device, Release release) {
  const aclError code = release();
  return code == ACL_ERROR_RT_CONTEXT_NULL && device.Bind().ok() ? release() : code;
}

}  // namespace

DeviceBuffer::DeviceBuffer(const Device* device, DevicePtr ptr, size_t size_bytes)
    : device_(device), generation_(device->generation()), ptr_(ptr), size_bytes_(size_bytes) {}

DeviceBuffer::DeviceBuffer(DeviceBuffer&& other) noexcept
    : device_(std::exchange(other.device_, nullptr)),
      generation_(other.generation_),
      ptr_(std::exchange(other.ptr_, DevicePtr{})),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

DeviceBuffer& DeviceBuffer::operator=(DeviceBuffer&& other) noexcept {
  // The old memory goes with the local; assigned to itself, the buffer gets its own memory back.
  DeviceBuffer old_owner(std::move(other));
  std::swap(device_, old_owner.device_);
  std::swap(generation_, old_owner.generation_);
  std::swap(ptr_, old_owner.ptr_);
  std::swap(size_bytes_, old_owner.size_bytes_);
  return *this;
}

DeviceBuffer::~DeviceBuffer() {
  if (device_ != nullptr && generation_ == device_->generation()) {
    LogFailure(*device_, "aclrtFree", ReleaseOn(*device_, [this] {
      return device_->symbols().aclrtFree(reinterpret_cast<void*>(ptr_.address));
    }));
  }
}

HostBuffer::HostBuffer(HostBuffer&& other) noexcept
    : device_(std::exchange(other.device_, nullptr)),
      data_(std::exchange(other.data_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

HostBuffer& HostBuffer::operator=(HostBuffer&& other) noexcept {
  HostBuffer old_owner(std::move(other));
  std::swap(device_, old_owner.device_);
  std::swap(data_, old_owner.data_);
  std::swap(size_bytes_, old_owner.size_bytes_);
  return *this;
}

HostBuffer::~HostBuffer() {
  if (device_ != nullptr) {
    LogFailure(*device_, "aclrtFreeHost",
               ReleaseOn(*device_, [this] { return device_->symbols().aclrtFreeHost(data_); }));
  }
}

RegisteredHost::RegisteredHost(RegisteredHost&& other) noexcept
    : device_(std::exchange(other.device_, nullptr)), data_(std::exchange(other.data_, nullptr)) {}

RegisteredHost& RegisteredHost::operator=(RegisteredHost&& other) noexcept {
  RegisteredHost old_owner(std::move(other));
  std::swap(device_, old_owner.device_);
  std::swap(data_, old_owner.data_);
  return *this;
}

RegisteredHost::~RegisteredHost() {
  // Whoever used the memory last lets go of it, on a thread that need not know the device.
  if (device_ != nullptr && device_->Bind().ok()) {
    LogFailure(*device_, "aclrtHostUnregister", device_->symbols().aclrtHostUnregister(data_));
  }
}

}  // namespace omserve::acl
