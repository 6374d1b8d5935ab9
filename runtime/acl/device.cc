// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/device.h"

#include "runtime/acl/status.h"
#include "runtime/acl/symbols.h"
#include "runtime/acl/task_errors.h"
#include "runtime/base/errors.h"
#include "runtime/base/log.h"

namespace omserve::acl {
namespace {

// Device addresses travel as integers above this folder, so that nobody can touch one by mistake.
void* ToPointer(DevicePtr ptr) { return reinterpret_cast<void*>(ptr.address); }

std::optional<double> Ratio(int32_t percent) {
  constexpr int32_t kWhole = 100;
  return percent < 0 || percent > kWhole ? std::nullopt
                                         : std::optional(static_cast<double>(percent) / kWhole);
}

}  // namespace

Device::~Device() {
  if (!is_set_) {
    return;  // It was reset and did not come back.
  }
  // What was made on an abandoned device is still there and goes by force.
  const absl::Status status =
      is_abandoned_ ? Reset()
                    : AclStatus(*symbols_, "aclrtResetDevice", symbols_->aclrtResetDevice(id_));
  if (!status.ok()) {
    OMSERVE_LOG(kError, "acl", "device={} {}", id_, MessageOf(status));
  }
}

absl::Status Device::Bind() const {
  return AclStatus(*symbols_, fmt::format("aclrtSetCurrentContext of device {}", id_),
                   symbols_->aclrtSetCurrentContext(context_.load(std::memory_order_acquire)));
}

absl::Status Device::Probe() const {
  constexpr size_t kProbeBytes = 64;
  constexpr std::chrono::milliseconds kProbeTime{1000};
  ASSIGN_OR_RETURN(Stream stream, CreateStream());
  ASSIGN_OR_RETURN(const DeviceBuffer device, Allocate(kProbeBytes));
  ASSIGN_OR_RETURN(const HostBuffer host, AllocateHost(kProbeBytes));
  RETURN_IF_ERROR(stream.CopyToDevice(device.get(), host.bytes()));
  RETURN_IF_ERROR(stream.CopyToHost(host.bytes(), device.get()));
  const absl::Status copied = stream.SynchronizeFor(kProbeTime);
  if (!copied.ok()) {
    // The destructor would wait for what may never end.
    stream.DestroyByForce().IgnoreError();
  }
  return copied;
}

absl::Status Device::Reset() {
  is_set_ = false;
  if (symbols_->aclrtResetDeviceForce != nullptr) {
    const aclError code = symbols_->aclrtResetDeviceForce(id_);
    // Without a context there is nothing to reset: an earlier attempt did it.
    return AclStatus(*symbols_, fmt::format("aclrtResetDeviceForce({})", id_),
                     code == ACL_ERROR_RT_CONTEXT_NULL ? ACL_SUCCESS : code);
  }
  // Counts down once a call; the one too many is refused.
  constexpr int kMostResets = 64;
  aclError code = ACL_SUCCESS;
  bool counted_down = false;
  for (int i = 0; i < kMostResets && code == ACL_SUCCESS; ++i) {
    code = symbols_->aclrtResetDevice(id_);
    counted_down = counted_down || code == ACL_SUCCESS;
  }
  return counted_down || code == ACL_ERROR_RT_CONTEXT_NULL
             ? absl::OkStatus()
             : AclStatus(*symbols_, fmt::format("aclrtResetDevice({})", id_), code);
}

absl::Status Device::Reopen() {
  RETURN_IF_ERROR(
      AclStatus(*symbols_, fmt::format("aclrtSetDevice({})", id_), symbols_->aclrtSetDevice(id_)));
  aclrtContext context = nullptr;
  RETURN_IF_ERROR(
      AclStatus(*symbols_, "aclrtGetCurrentContext", symbols_->aclrtGetCurrentContext(&context)));
  context_.store(context, std::memory_order_release);
  is_set_ = true;
  is_abandoned_ = false;
  return absl::OkStatus();
}

absl::StatusOr<Stream> Device::CreateStream() const {
  aclrtStream handle = nullptr;
  RETURN_IF_ERROR(AclStatus(*symbols_, fmt::format("aclrtCreateStream on device {}", id_),
                            symbols_->aclrtCreateStream(&handle)));
  int32_t stream_id = -1;
  if (symbols_->aclrtStreamGetId != nullptr &&
      symbols_->aclrtStreamGetId(handle, &stream_id) != ACL_SUCCESS) {
    stream_id = -1;
  }
  return Stream(this, handle, stream_id, TaskErrors::Get().Watch(id_, stream_id));
}

absl::StatusOr<Event> Device::CreateEvent(bool timed) const {
  const uint32_t flags = ACL_EVENT_SYNC | (timed ? ACL_EVENT_TIME_LINE : 0U);
  aclrtEvent handle = nullptr;
  // The newer kind is not bounded by hardware events (1023 on a 310P) and may be recorded again.
  const bool renews =
      symbols_->aclrtCreateEventExWithFlag == nullptr || symbols_->aclrtQueryEventStatus == nullptr;
  const aclError code = renews ? symbols_->aclrtCreateEventWithFlag(&handle, flags)
                               : symbols_->aclrtCreateEventExWithFlag(&handle, flags);
  RETURN_IF_ERROR(AclStatus(
      *symbols_,
      fmt::format("{} on device {}",
                  renews ? "aclrtCreateEventWithFlag" : "aclrtCreateEventExWithFlag", id_),
      code));
  return Event(this, handle, timed, renews);
}

absl::StatusOr<DeviceBuffer> Device::Allocate(size_t size_bytes) const {
  if (size_bytes == 0) {
    return DeviceBuffer();
  }
  void* data = nullptr;
  RETURN_IF_ERROR(AclStatus(*symbols_,
                            fmt::format("aclrtMalloc of {} bytes on device {}", size_bytes, id_),
                            symbols_->aclrtMalloc(&data, size_bytes, ACL_MEM_MALLOC_HUGE_FIRST)));
  return DeviceBuffer(this, DevicePtr{reinterpret_cast<uintptr_t>(data)}, size_bytes);
}

absl::StatusOr<HostBuffer> Device::AllocateHost(size_t size_bytes) const {
  if (size_bytes == 0) {
    return HostBuffer();
  }
  void* data = nullptr;
  RETURN_IF_ERROR(AclStatus(
      *symbols_, fmt::format("aclrtMallocHost of {} bytes for device {}", size_bytes, id_),
      symbols_->aclrtMallocHost(&data, size_bytes)));
  return HostBuffer(this, static_cast<std::byte*>(data), size_bytes);
}

absl::StatusOr<RegisteredHost> Device::RegisterHost(std::span<std::byte> pages) const {
  if (symbols_->aclrtHostRegister == nullptr || symbols_->aclrtHostUnregister == nullptr) {
    return Unimplemented("aclrtHostRegister came with CANN 8.5");
  }
  void* address = nullptr;  // For kernels, where the host's address is not the device's.
  RETURN_IF_ERROR(AclStatus(
      *symbols_, fmt::format("aclrtHostRegister of {} bytes", pages.size()),
      symbols_->aclrtHostRegister(pages.data(), pages.size(), ACL_HOST_REGISTER_MAPPED, &address)));
  RegisteredHost registered(this, pages.data());
  if (is_one_memory_ && address != pages.data()) {
    return Unimplemented("the device knows memory at {} as {}", fmt::ptr(pages.data()),
                         fmt::ptr(address));
  }
  return registered;
}

absl::Status Device::Clear(DevicePtr at, size_t size_bytes) const {
  if (size_bytes == 0) {
    return absl::OkStatus();
  }
  return AclStatus(*symbols_, fmt::format("aclrtMemset of {} bytes on device {}", size_bytes, id_),
                   symbols_->aclrtMemset(ToPointer(at), size_bytes, 0, size_bytes));
}

absl::Status Device::CopyToDeviceNow(DevicePtr to, std::span<const std::byte> host) const {
  if (host.empty()) {
    return absl::OkStatus();
  }
  return AclStatus(*symbols_, fmt::format("aclrtMemcpy of {} bytes to device {}", host.size(), id_),
                   symbols_->aclrtMemcpy(ToPointer(to), host.size(), host.data(), host.size(),
                                         ACL_MEMCPY_HOST_TO_DEVICE));
}

absl::StatusOr<Device::Memory> Device::memory() const {
  // A chip without HBM answers for DDR; one that knows no such question answers 0 and 0.
  Memory memory;
  for (const aclrtMemAttr attribute : {ACL_HBM_MEM, ACL_DDR_MEM}) {
    RETURN_IF_ERROR(
        AclStatus(*symbols_, fmt::format("aclrtGetMemInfo of device {}", id_),
                  symbols_->aclrtGetMemInfo(attribute, &memory.free_bytes, &memory.total_bytes)));
    if (memory.total_bytes != 0) {
      break;
    }
  }
  return memory;
}

absl::StatusOr<Device::Utilization> Device::utilization() const {
  if (symbols_->aclrtGetDeviceUtilizationRate == nullptr) {
    return Unimplemented("AscendCL has no aclrtGetDeviceUtilizationRate before CANN 7.0");
  }
  aclrtUtilizationInfo info{};
  RETURN_IF_ERROR(AclStatus(*symbols_, fmt::format("aclrtGetDeviceUtilizationRate({})", id_),
                            symbols_->aclrtGetDeviceUtilizationRate(id_, &info)));
  return Utilization{.cube = Ratio(info.cubeUtilization),
                     .vector = Ratio(info.vectorUtilization),
                     .ai_cpu = Ratio(info.aicpuUtilization)};
}

absl::StatusOr<bool> Device::IsNormal() const {
  if (symbols_->aclrtQueryDeviceStatus == nullptr) {
    return Unimplemented("AscendCL has no aclrtQueryDeviceStatus before CANN 7.0");
  }
  aclrtDeviceStatus status = ACL_RT_DEVICE_STATUS_END;
  RETURN_IF_ERROR(AclStatus(*symbols_, fmt::format("aclrtQueryDeviceStatus({})", id_),
                            symbols_->aclrtQueryDeviceStatus(id_, &status)));
  return status == ACL_RT_DEVICE_STATUS_NORMAL;
}

absl::Status Device::TakeTaskError(int32_t stream_id) const {
  return TaskErrors::Get().TakeByStream(id_, stream_id);
}

}  // namespace omserve::acl
