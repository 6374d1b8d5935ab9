// SPDX-License-Identifier: Apache-2.0
// The C interface: devices and contexts.
#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/runtime.h"
#include "runtime/hostacl/timeouts.h"

namespace omserve::hostacl {
namespace {

absl::Status SetDevice(int32_t index) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  ASSIGN_OR_RETURN(const std::shared_ptr<Context> context, runtime->SetDevice(index));
  SetThreadContext(context->handle);
  return absl::OkStatus();
}

absl::Status ResetDevice(int32_t index, bool force) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  return runtime->ResetDevice(index, force);
}

absl::Status GetDevice(int32_t* index) {
  if (index == nullptr) {
    return NullOutput("aclrtGetDevice");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  *index = here.device().index();
  return absl::OkStatus();
}

absl::Status GetDeviceCount(uint32_t* count) {
  if (count == nullptr) {
    return NullOutput("aclrtGetDeviceCount");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  *count = static_cast<uint32_t>(runtime->settings().device_count);
  return absl::OkStatus();
}

// Waits for all streams, then gives the first failure of any.
absl::Status SynchronizeDevice(int32_t timeout_ms) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const Clock::time_point deadline, DeadlineAfterMs(timeout_ms));
  absl::Status first;
  for (const std::shared_ptr<Stream>& stream :
       here.runtime->StreamsOfDevice(here.device().index())) {
    absl::Status status = stream->Synchronize(deadline);
    if (first.ok()) {
      first = std::move(status);
    }
  }
  return first;
}

absl::Status GetUtilization(int32_t index, aclrtUtilizationInfo* info) {
  if (info == nullptr || info->utilizationExtend != nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "aclrtGetDeviceUtilizationRate: the output pointer is null, or its "
                "utilizationExtend is not");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  ASSIGN_OR_RETURN(const std::shared_ptr<Device> device, runtime->FindDevice(index));
  info->cubeUtilization = device->busy_percent();
  info->vectorUtilization = -1;  // A core of this device is not split into cube and vector.
  info->aicpuUtilization = -1;   // There is none.
  info->memoryUtilization = -1;  // As on today's chips.
  return absl::OkStatus();
}

absl::Status QueryDeviceStatus(int32_t index, aclrtDeviceStatus* status) {
  if (status == nullptr) {
    return NullOutput("aclrtQueryDeviceStatus");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  RETURN_IF_ERROR(runtime->FindDevice(index).status());
  *status = ProcessFaults().Lost(index).ok() ? ACL_RT_DEVICE_STATUS_NORMAL
                                             : ACL_RT_DEVICE_STATUS_ABNORMAL;
  return absl::OkStatus();
}

absl::Status SetTsDevice(aclrtTsId ts) {
  RETURN_IF_ERROR(CurrentRuntime().status());
  if (ts != ACL_TS_ID_AICORE && ts != ACL_TS_ID_AIVECTOR) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclrtSetTsDevice: {} is neither 0 nor 1",
                static_cast<int>(ts));
  }
  return absl::OkStatus();
}

absl::Status CanAccessPeer(int32_t* can, int32_t index, int32_t peer) {
  if (can == nullptr) {
    return NullOutput("aclrtDeviceCanAccessPeer");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  RETURN_IF_ERROR(runtime->FindDevice(index).status());
  RETURN_IF_ERROR(runtime->FindDevice(peer).status());
  *can = index == peer ? 0 : 1;
  return absl::OkStatus();
}

absl::Status EnablePeerAccess(int32_t peer, uint32_t flags) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  RETURN_IF_ERROR(here.runtime->FindDevice(peer).status());
  if (flags != 0 || peer == here.device().index()) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "aclrtDeviceEnablePeerAccess: flags {} (expected 0) for device {} from device {}",
                flags, peer, here.device().index());
  }
  return absl::OkStatus();
}

absl::Status CreateContext(aclrtContext* context, int32_t device) {
  if (context == nullptr) {
    return NullOutput("aclrtCreateContext");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  ASSIGN_OR_RETURN(const std::shared_ptr<Context> made, runtime->CreateContext(device));
  SetThreadContext(made->handle);
  *context = made->handle;
  return absl::OkStatus();
}

absl::Status DestroyContext(aclrtContext context) {
  if (context == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclrtDestroyContext: the context is null");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  return runtime->DestroyContext(context);
}

absl::Status SetCurrentContext(aclrtContext context) {
  if (context == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "aclrtSetCurrentContext: the context is null");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  if (runtime->FindContext(context) == nullptr) {
    return Fail(ACL_ERROR_RT_CONTEXT_NULL,
                "aclrtSetCurrentContext: {} is no context; was it destroyed, or its device reset?",
                fmt::ptr(context));
  }
  SetThreadContext(context);
  return absl::OkStatus();
}

absl::Status GetCurrentContext(aclrtContext* context) {
  if (context == nullptr) {
    return NullOutput("aclrtGetCurrentContext");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  *context = here.context->handle;
  return absl::OkStatus();
}

absl::Status GetDefaultStream(aclrtStream* stream) {
  if (stream == nullptr) {
    return NullOutput("aclrtCtxGetCurrentDefaultStream");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  *stream = here.context->default_stream->handle();
  return absl::OkStatus();
}

absl::Status GetPrimaryState(int32_t index, uint32_t* flags, int32_t* active) {
  if (active == nullptr) {
    return NullOutput("aclrtGetPrimaryCtxState");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  RETURN_IF_ERROR(runtime->FindDevice(index).status());
  if (flags != nullptr) {
    *flags = 0;
  }
  *active = runtime->HasDefaultContext(index) ? 1 : 0;
  return absl::OkStatus();
}

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::Enter;

aclError aclrtSetDevice(int32_t deviceId) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::SetDevice(deviceId); });
}

aclError aclrtResetDevice(int32_t deviceId) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::ResetDevice(deviceId, /*force=*/false); });
}

aclError aclrtResetDeviceForce(int32_t deviceId) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::ResetDevice(deviceId, /*force=*/true); });
}

aclError aclrtGetDevice(int32_t* deviceId) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetDevice(deviceId); });
}

aclError aclrtGetDeviceCount(uint32_t* count) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetDeviceCount(count); });
}

aclError aclrtSynchronizeDevice() noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::SynchronizeDevice(-1); });
}

aclError aclrtSynchronizeDeviceWithTimeout(int32_t timeout) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::SynchronizeDevice(timeout); });
}

aclError aclrtGetDeviceUtilizationRate(int32_t deviceId,
                                       aclrtUtilizationInfo* utilizationInfo) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::GetUtilization(deviceId, utilizationInfo); });
}

aclError aclrtQueryDeviceStatus(int32_t deviceId, aclrtDeviceStatus* deviceStatus) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::QueryDeviceStatus(deviceId, deviceStatus); });
}

aclError aclrtSetTsDevice(aclrtTsId tsId) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::SetTsDevice(tsId); });
}

aclError aclrtDeviceCanAccessPeer(int32_t* canAccessPeer, int32_t deviceId,
                                  int32_t peerDeviceId) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::CanAccessPeer(canAccessPeer, deviceId, peerDeviceId);
  });
}

aclError aclrtDeviceEnablePeerAccess(int32_t peerDeviceId, uint32_t flags) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::EnablePeerAccess(peerDeviceId, flags); });
}

aclError aclrtCreateContext(aclrtContext* context, int32_t deviceId) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::CreateContext(context, deviceId); });
}

aclError aclrtDestroyContext(aclrtContext context) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::DestroyContext(context); });
}

aclError aclrtSetCurrentContext(aclrtContext context) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::SetCurrentContext(context); });
}

aclError aclrtGetCurrentContext(aclrtContext* context) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetCurrentContext(context); });
}

aclError aclrtCtxGetCurrentDefaultStream(aclrtStream* stream) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetDefaultStream(stream); });
}

aclError aclrtGetPrimaryCtxState(int32_t deviceId, uint32_t* flags, int32_t* active) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::GetPrimaryState(deviceId, flags, active); });
}
