// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "runtime/acl/device.h"
#include "runtime/acl/status.h"
#include "runtime/acl/symbols.h"
#include "runtime/acl/task_errors.h"
#include "runtime/base/errors.h"
#include "runtime/base/log.h"

namespace omserve::acl {
namespace {

void* ToPointer(DevicePtr ptr) { return reinterpret_cast<void*>(ptr.address); }

}  // namespace

Stream::Stream(const Device* device, void* handle, int32_t id, uint64_t watch)
    : device_(device), generation_(device->generation()), handle_(handle), id_(id), watch_(watch) {}

Stream::Stream(Stream&& other) noexcept
    : device_(std::exchange(other.device_, nullptr)),
      generation_(other.generation_),
      handle_(std::exchange(other.handle_, nullptr)),
      id_(std::exchange(other.id_, -1)),
      watch_(std::exchange(other.watch_, 0)) {}

Stream& Stream::operator=(Stream&& other) noexcept {
  Stream old_owner(std::move(other));
  std::swap(device_, old_owner.device_);
  std::swap(generation_, old_owner.generation_);
  std::swap(handle_, old_owner.handle_);
  std::swap(id_, old_owner.id_);
  std::swap(watch_, old_owner.watch_);
  return *this;
}

Stream::~Stream() {
  if (handle_ == nullptr) {
    return;
  }
  if (generation_ == device_->generation()) {
    const aclError code = device_->symbols().aclrtDestroyStream(handle_);
    if (code != ACL_SUCCESS) {
      OMSERVE_LOG(kError, "acl", "{}", MessageOf(StatusOf("aclrtDestroyStream", code)));
    }
  }
  TaskErrors::Get().Unwatch(watch_);
}

absl::Status Stream::DestroyByForce() {
  if (handle_ == nullptr || generation_ != device_->generation()) {
    return absl::OkStatus();
  }
  if (device_->symbols().aclrtDestroyStreamForce == nullptr) {
    return Unimplemented(
        "stream {} of device {}: the library (before CANN 6.3) can only wait for it", id_,
        device_->id());
  }
  RETURN_IF_ERROR(
      StatusOf("aclrtDestroyStreamForce", device_->symbols().aclrtDestroyStreamForce(handle_)));
  handle_ = nullptr;
  TaskErrors::Get().Unwatch(watch_);
  return absl::OkStatus();
}

absl::Status Stream::StatusOf(const char* function, int code) const {
  if (code == ACL_SUCCESS) {
    return absl::OkStatus();  // The request path formats nothing.
  }
  return AclStatus(device_->symbols(),
                   fmt::format("{} on stream {} of device {}", function, id_, device_->id()), code);
}

absl::Status Stream::CopyToDevice(DevicePtr to, std::span<const std::byte> host) {
  if (host.empty()) {
    return absl::OkStatus();
  }
  return StatusOf(
      "aclrtMemcpyAsync to the device",
      device_->symbols().aclrtMemcpyAsync(ToPointer(to), host.size(), host.data(), host.size(),
                                          ACL_MEMCPY_HOST_TO_DEVICE, handle_));
}

absl::Status Stream::CopyToHost(std::span<std::byte> host, DevicePtr from) {
  if (host.empty()) {
    return absl::OkStatus();
  }
  return StatusOf(
      "aclrtMemcpyAsync to the host",
      device_->symbols().aclrtMemcpyAsync(host.data(), host.size(), ToPointer(from), host.size(),
                                          ACL_MEMCPY_DEVICE_TO_HOST, handle_));
}

absl::Status Stream::CopyOnDevice(DevicePtr to, DevicePtr from, size_t size_bytes) {
  if (size_bytes == 0) {
    return absl::OkStatus();
  }
  return StatusOf(
      "aclrtMemcpyAsync on the device",
      device_->symbols().aclrtMemcpyAsync(ToPointer(to), size_bytes, ToPointer(from), size_bytes,
                                          ACL_MEMCPY_DEVICE_TO_DEVICE, handle_));
}

absl::Status Stream::Record(Event& event) {
  if (event.renews_ && event.recorded_) {
    ASSIGN_OR_RETURN(event, device_->CreateEvent(event.timed_));
  }
  RETURN_IF_ERROR(
      StatusOf("aclrtRecordEvent", device_->symbols().aclrtRecordEvent(event.handle_, handle_)));
  event.recorded_ = true;
  return absl::OkStatus();
}

absl::Status Stream::Wait(const Event& event) {
  // The older kind of event would hold the stream until somebody records it.
  if (!event.recorded_) {
    return absl::OkStatus();
  }
  return StatusOf("aclrtStreamWaitEvent",
                  device_->symbols().aclrtStreamWaitEvent(handle_, event.handle_));
}

absl::Status Stream::Notify(void (*function)(void*), void* argument) {
  return StatusOf("aclrtLaunchCallback", device_->symbols().aclrtLaunchCallback(
                                             function, argument, ACL_CALLBACK_NO_BLOCK, handle_));
}

absl::Status Stream::Synchronize() {
  const absl::Status synchronised =
      StatusOf("aclrtSynchronizeStream", device_->symbols().aclrtSynchronizeStream(handle_));
  // The same failure has come through the exception callback, without words; taking it there keeps
  // it from being reported twice.
  const absl::Status task = TakeTaskError();
  return synchronised.ok() ? task : synchronised;
}

absl::Status Stream::SynchronizeFor(std::chrono::milliseconds limit) {
  const Symbols& symbols = device_->symbols();
  if (symbols.aclrtSynchronizeStreamWithTimeout == nullptr) {
    return Synchronize();
  }
  const aclError code =
      symbols.aclrtSynchronizeStreamWithTimeout(handle_, static_cast<int32_t>(limit.count()));
  if (code == ACL_ERROR_RT_STREAM_SYNC_TIMEOUT) {
    return DeadlineExceeded("stream {} of device {} was not done in {} ms", id_, device_->id(),
                            limit.count());
  }
  const absl::Status synchronised = StatusOf("aclrtSynchronizeStreamWithTimeout", code);
  const absl::Status task = TakeTaskError();
  return synchronised.ok() ? task : synchronised;
}

absl::Status Stream::TakeTaskError() { return TaskErrors::Get().Take(watch_); }

}  // namespace omserve::acl
