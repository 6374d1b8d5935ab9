// SPDX-License-Identifier: Apache-2.0
// The C interface: device memory, pinned host memory, copies.
#include <limits>
#include <span>

#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/memory_map.h"
#include "runtime/hostacl/runtime.h"

namespace omserve::hostacl {
namespace {

void WatchMemory(const Here& here, const void* address, size_t size_bytes, const char* kind) {
  if (here.runtime->order() != nullptr) {
    here.runtime->order()->Allocated(address, size_bytes, CurrentOwner(kind, size_bytes));
  }
}

// The policy chooses page sizes, of which this device has one.
absl::Status Malloc(void** address, size_t size_bytes, size_t extra_bytes) {
  if (address == nullptr) {
    return NullOutput("aclrtMalloc");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(*address, here.device().memory().Allocate(size_bytes, extra_bytes));
  WatchMemory(here, *address, size_bytes, "device memory");
  return absl::OkStatus();
}

absl::Status CheckMallocAttribute(const Device& device, const aclrtMallocAttribute& attribute) {
  switch (attribute.attr) {
    case ACL_RT_MEM_ATTR_RSV:
    case ACL_RT_MEM_ATTR_MODULE_ID:  // For the chip's own accounts.
      return absl::OkStatus();
    case ACL_RT_MEM_ATTR_DEVICE_ID:
      if (attribute.value.deviceId == static_cast<uint32_t>(device.index())) {
        return absl::OkStatus();
      }
      return Fail(ACL_ERROR_RT_INVALID_DEVICEID,
                  "aclrtMallocWithCfg: device {} is asked for, this thread's is {}",
                  attribute.value.deviceId, device.index());
    case ACL_RT_MEM_ATTR_VA_FLAG:
      break;
  }
  return Fail(ACL_ERROR_INVALID_PARAM, "aclrtMallocWithCfg: attribute {} is not device memory's",
              static_cast<int>(attribute.attr));
}

absl::Status MallocConfigured(void** address, size_t size_bytes, const aclrtMallocConfig* config) {
  if (config != nullptr) {
    if (config->attrs == nullptr && config->numAttrs > 0) {
      return Fail(ACL_ERROR_INVALID_PARAM, "aclrtMallocWithCfg: {} attributes at null",
                  config->numAttrs);
    }
    ASSIGN_OR_RETURN(const Here here, CurrentPlace());
    for (const aclrtMallocAttribute& attribute : std::span(config->attrs, config->numAttrs)) {
      RETURN_IF_ERROR(CheckMallocAttribute(here.device(), attribute));
    }
  }
  return Malloc(address, size_bytes, kMallocExtraBytes);
}

absl::Status Free(void* address) {
  if (address == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclrtFree: the address is null");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  return here.runtime->memory().FreeDevice(address);
}

absl::Status MallocHost(void** address, size_t size_bytes) {
  if (address == nullptr) {
    return NullOutput("aclrtMallocHost");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  if (here.runtime->settings().run_mode == ACL_DEVICE) {
    return Malloc(address, size_bytes, kMallocExtraBytes);  // There is one memory.
  }
  ASSIGN_OR_RETURN(*address, here.runtime->memory().pinned().Allocate(size_bytes));
  WatchMemory(here, *address, size_bytes, "pinned host memory");
  return absl::OkStatus();
}

absl::Status FreeHost(void* address) {
  if (address == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclrtFreeHost: the address is null");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  if (here.runtime->settings().run_mode == ACL_DEVICE) {
    return Free(address);
  }
  return here.runtime->memory().FreePinned(address);
}

absl::Status Memcpy(const CopyRequest& request, aclrtMemcpyKind kind) {
  RETURN_IF_ERROR(CheckCopy(request, kind));
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  return Copy(here.runtime->memory(), request);
}

// Host memory that is pageable can be gone when a task runs, so such a copy is waited for.
bool StaysInPlace(const MemoryMap& memory, const void* address, size_t count) {
  return memory.DeviceOf(address) != nullptr || memory.IsLockedHost(address, count);
}

void NotePageable(const Here& here, const CopyRequest& request, const Stream& stream) {
  if (here.runtime->order() != nullptr) {
    here.runtime->order()->log().Report(
        Violation::kPageableCopy,
        fmt::format("{} of {} bytes in thread {} on stream {} uses host memory that is not from "
                    "aclrtMallocHost: it is not asynchronous",
                    CurrentFunction(), request.count, ThisThreadName(), stream.id()));
  }
}

// Enqueues `body`, which must capture nothing that may go away unless `later`; without it returns
// when the task is done. A failure of the task stays with the stream.
template <typename Body>
absl::Status Launch(Stream& stream, TaskType type, bool later, Body body) {
  if (later) {
    return stream.Enqueue({.type = type}, std::move(body));
  }
  const std::shared_ptr<Milestone> done = Milestone::Make();
  RETURN_IF_ERROR(stream.Enqueue({.type = type},
                                 [reached = ReachAtEnd(done), body = std::move(body)](
                                     Interrupt& interrupt) mutable { return body(interrupt); }));
  done->Wait(Clock::time_point::max(), nullptr);
  return absl::OkStatus();
}

// In a task. The host's side of the copy was pinned at the launch and may have been freed since.
absl::Status CopyLater(const MemoryMap& memory, CopyRequest request) {
  request.host = HostMemory::kLocked;
  return WithAclCode(Copy(memory, request), ACL_ERROR_RT_SYS_DMA);
}

absl::Status MemcpyAsync(const CopyRequest& request, aclrtMemcpyKind kind, aclrtStream handle) {
  RETURN_IF_ERROR(CheckCopy(request, kind));
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, handle));
  const MemoryMap& memory = here.runtime->memory();
  const bool on_host =
      memory.DeviceOf(request.target) == nullptr && memory.DeviceOf(request.source) == nullptr;
  if ((on_host || kind == ACL_MEMCPY_HOST_TO_HOST) && memory.run_mode() == ACL_HOST) {
    return Fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "aclrtMemcpyAsync: from host to host is not supported; use aclrtMemcpy");
  }
  if (request.count == 0) {
    return absl::OkStatus();
  }
  // The runtime outlives its streams' tasks: it ends them before it goes.
  if (StaysInPlace(memory, request.target, request.count) &&
      StaysInPlace(memory, request.source, request.count)) {
    return Launch(*stream, TaskType::kCopy, /*later=*/true,
                  [&memory, request](Interrupt&) { return CopyLater(memory, request); });
  }
  NotePageable(here, request, *stream);
  RETURN_IF_ERROR(Launch(*stream, TaskType::kCopy, /*later=*/false, [&memory, request](Interrupt&) {
    return WithAclCode(Copy(memory, request), ACL_ERROR_RT_SYS_DMA);
  }));
  stream->TellHost();
  return absl::OkStatus();
}

absl::Status Memcpy2d(const CopyRequest& first_row, size_t target_pitch, size_t source_pitch,
                      size_t height, aclrtMemcpyKind kind) {
  CopyRequest row = first_row;
  row.target_limit = target_pitch;
  RETURN_IF_ERROR(CheckCopy(row, kind));
  if (kind != ACL_MEMCPY_HOST_TO_DEVICE && kind != ACL_MEMCPY_DEVICE_TO_HOST) {
    return Fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "aclrtMemcpy2d: kind {}; expected 1 (to the device) or 2 (to the host)",
                static_cast<int>(kind));
  }
  const size_t pitch_limit = height == 0 ? 0 : std::numeric_limits<size_t>::max() / 2 / height;
  if (row.count == 0 || source_pitch < row.count || target_pitch > pitch_limit ||
      source_pitch > pitch_limit) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "aclrtMemcpy2d: {} rows of {} bytes with pitches {} and {} are no area", height,
                row.count, target_pitch, source_pitch);
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  return CopyRows(here.runtime->memory(), row, target_pitch, source_pitch, height);
}

absl::Status CheckFill(const Here& here, const void* target, size_t limit, size_t count) {
  if (target == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "memset: the address is null");
  }
  if (count > limit) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID, "memset: {} bytes of {}", count, limit);
  }
  const MemoryMap& memory = here.runtime->memory();
  if (memory.DeviceOf(target) == nullptr && !memory.IsLockedHost(target, count)) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "memset: {} bytes at {} are neither device memory nor of aclrtMallocHost", count,
                fmt::ptr(target));
  }
  return absl::OkStatus();
}

absl::Status Memset(void* target, size_t limit, int32_t value, size_t count) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  RETURN_IF_ERROR(CheckFill(here, target, limit, count));
  return count == 0 ? absl::OkStatus() : here.runtime->memory().Set(target, value, count);
}

absl::Status MemsetAsync(void* target, size_t limit, int32_t value, size_t count,
                         aclrtStream handle) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, handle));
  RETURN_IF_ERROR(CheckFill(here, target, limit, count));
  if (count == 0) {
    return absl::OkStatus();
  }
  const MemoryMap& memory = here.runtime->memory();
  return Launch(*stream, TaskType::kFill, /*later=*/true,
                [&memory, target, value, count](Interrupt&) {
                  return WithAclCode(memory.Set(target, value, count), ACL_ERROR_RT_SYS_DMA);
                });
}

// This device has one memory of one kind; it answers to every name but the peer and 1 GiB pages.
bool IsAnswered(aclrtMemAttr attr) {
  switch (attr) {
    case ACL_DDR_MEM:
    case ACL_HBM_MEM:
    case ACL_DDR_MEM_HUGE:
    case ACL_DDR_MEM_NORMAL:
    case ACL_HBM_MEM_HUGE:
    case ACL_HBM_MEM_NORMAL:
    case ACL_MEM_NORMAL:
    case ACL_MEM_HUGE:
      return true;
    default:
      return false;
  }
}

absl::Status GetMemInfo(aclrtMemAttr attr, size_t* free, size_t* total) {
  if (free == nullptr || total == nullptr) {
    return NullOutput("aclrtGetMemInfo");
  }
  if (static_cast<int>(attr) < ACL_DDR_MEM || static_cast<int>(attr) > ACL_MEM_P2P_HUGE1G) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclrtGetMemInfo: attribute {}; they are 0 to {}",
                static_cast<int>(attr), static_cast<int>(ACL_MEM_P2P_HUGE1G));
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  *free = IsAnswered(attr) ? here.device().memory().free_bytes() : 0;
  *total = IsAnswered(attr) ? here.device().memory().capacity_bytes() : 0;
  return absl::OkStatus();
}

// There is no cache between this device and the host; the range is checked all the same.
absl::Status FlushOrInvalidate(const void* address, size_t size_bytes) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  return here.runtime->memory()
      .DeviceBytes(address, size_bytes, DeviceMemory::Slack::kNone)
      .status();
}

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::Enter;

aclError aclrtMalloc(void** devPtr, size_t size, aclrtMemMallocPolicy /*policy*/) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::Malloc(devPtr, size, omserve::hostacl::kMallocExtraBytes);
  });
}

aclError aclrtMallocAlign32(void** devPtr, size_t size, aclrtMemMallocPolicy /*policy*/) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::Malloc(devPtr, size, 0); });
}

aclError aclrtMallocCached(void** devPtr, size_t size, aclrtMemMallocPolicy /*policy*/) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::Malloc(devPtr, size, omserve::hostacl::kMallocExtraBytes);
  });
}

aclError aclrtMallocWithCfg(void** devPtr, size_t size, aclrtMemMallocPolicy /*policy*/,
                            aclrtMallocConfig* cfg) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::MallocConfigured(devPtr, size, cfg); });
}

aclError aclrtFree(void* devPtr) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::Free(devPtr); });
}

aclError aclrtMallocHost(void** hostPtr, size_t size) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::MallocHost(hostPtr, size); });
}

aclError aclrtFreeHost(void* hostPtr) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::FreeHost(hostPtr); });
}

aclError aclrtMemcpy(void* dst, size_t destMax, const void* src, size_t count,
                     aclrtMemcpyKind kind) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::Memcpy({dst, destMax, src, count}, kind);
  });
}

aclError aclrtMemcpyAsync(void* dst, size_t destMax, const void* src, size_t count,
                          aclrtMemcpyKind kind, aclrtStream stream) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::MemcpyAsync({dst, destMax, src, count}, kind, stream);
  });
}

aclError aclrtMemcpy2d(void* dst, size_t dpitch, const void* src, size_t spitch, size_t width,
                       size_t height, aclrtMemcpyKind kind) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::Memcpy2d({dst, dpitch, src, width}, dpitch, spitch, height, kind);
  });
}

aclError aclrtMemset(void* devPtr, size_t maxCount, int32_t value, size_t count) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::Memset(devPtr, maxCount, value, count); });
}

aclError aclrtMemsetAsync(void* devPtr, size_t maxCount, int32_t value, size_t count,
                          aclrtStream stream) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::MemsetAsync(devPtr, maxCount, value, count, stream);
  });
}

aclError aclrtGetMemInfo(aclrtMemAttr attr, size_t* free, size_t* total) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetMemInfo(attr, free, total); });
}

aclError aclrtMemFlush(void* devPtr, size_t size) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::FlushOrInvalidate(devPtr, size); });
}

aclError aclrtMemInvalidate(void* devPtr, size_t size) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::FlushOrInvalidate(devPtr, size); });
}
