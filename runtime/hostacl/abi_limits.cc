// SPDX-License-Identifier: Apache-2.0
// The C interface: what a device has, and how much of it this process may use.
#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/runtime.h"

namespace omserve::hostacl {
namespace {

absl::Status GetDeviceInfo(uint32_t index, aclrtDevAttr attr, int64_t* value) {
  if (value == nullptr) {
    return NullOutput("aclrtGetDeviceInfo");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  ASSIGN_OR_RETURN(const std::shared_ptr<Device> device, runtime->FindDevice(index));
  switch (attr) {
    case ACL_DEV_ATTR_AICORE_CORE_NUM:
    case ACL_DEV_ATTR_CUBE_CORE_NUM:
      *value = device->cores().cores();
      return absl::OkStatus();
    case ACL_DEV_ATTR_TOTAL_GLOBAL_MEM_SIZE:
      *value = static_cast<int64_t>(device->memory().capacity_bytes());
      return absl::OkStatus();
    case ACL_DEV_ATTR_PHY_CHIP_ID:
      *value = device->physical_index();
      return absl::OkStatus();
    case ACL_DEV_ATTR_AICPU_CORE_NUM:
    case ACL_DEV_ATTR_VECTOR_CORE_NUM:  // A core of this device is not split.
    case ACL_DEV_ATTR_WARP_SIZE:
    case ACL_DEV_ATTR_MAX_THREAD_PER_VECTOR_CORE:
    case ACL_DEV_ATTR_UBUF_PER_VECTOR_CORE:
    case ACL_DEV_ATTR_IS_VIRTUAL:
      *value = 0;
      return absl::OkStatus();
    default:
      return Fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                  "aclrtGetDeviceInfo: attribute {} says nothing of this device",
                  static_cast<int>(attr));
  }
}

// The device, where `type` names something that it has.
absl::StatusOr<std::shared_ptr<Device>> FindLimited(int32_t index, aclrtDevResLimitType type) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Runtime> runtime, CurrentRuntime());
  ASSIGN_OR_RETURN(std::shared_ptr<Device> device, runtime->FindDevice(index));
  if (device->timed() != nullptr) {
    return Fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                "device {}: the cores of the engine '{}' cannot be limited", index, kTimedEngine);
  }
  if (type == ACL_RT_DEV_RES_CUBE_CORE) {
    return device;
  }
  if (type == ACL_RT_DEV_RES_VECTOR_CORE) {
    return Fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, "device {}: it has no vector cores to limit",
                index);
  }
  return Fail(ACL_ERROR_INVALID_PARAM, "a limit of type {}; expected 0 or 1",
              static_cast<int>(type));
}

absl::Status SetLimit(int32_t index, aclrtDevResLimitType type, uint32_t value) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Device> device, FindLimited(index, type));
  CoreGate& cores = device->cores();
  if (value == 0 || value > cores.cores()) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID, "device {}: a limit of {} cores; it has {}", index,
                value, cores.cores());
  }
  cores.SetLimit(value);
  return absl::OkStatus();
}

absl::Status GetLimit(int32_t index, aclrtDevResLimitType type, uint32_t* value) {
  if (value == nullptr) {
    return NullOutput("aclrtGetDeviceResLimit");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Device> device, FindLimited(index, type));
  *value = device->cores().limit();
  return absl::OkStatus();
}

absl::Status ResetLimit(int32_t index) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Device> device,
                   FindLimited(index, ACL_RT_DEV_RES_CUBE_CORE));
  device->cores().SetLimit(device->cores().cores());
  return absl::OkStatus();
}

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::Enter;

aclError aclrtGetDeviceInfo(uint32_t deviceId, aclrtDevAttr attr, int64_t* value) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetDeviceInfo(deviceId, attr, value); });
}

aclError aclrtSetDeviceResLimit(int32_t deviceId, aclrtDevResLimitType type,
                                uint32_t value) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::SetLimit(deviceId, type, value); });
}

aclError aclrtGetDeviceResLimit(int32_t deviceId, aclrtDevResLimitType type,
                                uint32_t* value) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetLimit(deviceId, type, value); });
}

aclError aclrtResetDeviceResLimit(int32_t deviceId) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::ResetLimit(deviceId); });
}

aclError aclrtGetErrorVerbose(int32_t /*deviceId*/, aclrtErrorInfo* /*errorInfo*/) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::Fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT,
                                  "aclrtGetErrorVerbose: this device has no hardware to report on; "
                                  "aclGetRecentErrMsg has the words");
  });
}
