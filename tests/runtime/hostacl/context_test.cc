// SPDX-License-Identifier: Apache-2.0
// Devices and contexts: what is current in which thread.

#include "tests/runtime/hostacl/acl_session.h"

namespace omserve::hostacl {
namespace {

constexpr char kTwoDevices[] = R"({"device_count": 2, "memory_bytes": 16777216})";

// ResetDeviceForce ignores the count and takes explicit contexts along.
TEST_CASE("ResetDeviceForce ends the device at once") {
  const AclSession session;
  REQUIRE_ACL(ACL(aclrtSetDevice)(0));
  aclrtContext context = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateContext)(&context, 0));
  REQUIRE_ACL(ACL(aclrtResetDeviceForce)(0));
  CHECK(ACL(aclrtSetCurrentContext)(context) == ACL_ERROR_RT_CONTEXT_NULL);
  CHECK(ACL(aclrtResetDevice)(0) != ACL_SUCCESS);
}

// Devices that do not exist are refused with 107001 and the numbers that do.
TEST_CASE("Unknown devices are refused") {
  const AclSession session(kTwoDevices);
  uint32_t count = 0;
  REQUIRE_ACL(ACL(aclrtGetDeviceCount)(&count));
  CHECK(count == 2);
  CHECK(ACL(aclrtSetDevice)(2) == ACL_ERROR_RT_INVALID_DEVICEID);
  CHECK_THAT(RecentError(), Catch::Contains("0 to 1"));
  CHECK(ACL(aclrtSetDevice)(-1) == ACL_ERROR_RT_INVALID_DEVICEID);
  aclrtContext context = nullptr;
  CHECK(ACL(aclrtCreateContext)(&context, 9) == ACL_ERROR_RT_INVALID_DEVICEID);
  CHECK(ACL(aclrtResetDevice)(1) != ACL_SUCCESS);
}

// A context that is created becomes current, and its device with it; destroyed, it is nobody's.
TEST_CASE("An explicit context becomes current and can be destroyed") {
  const AclSession session(kTwoDevices);
  aclrtContext default_context = nullptr;
  REQUIRE_ACL(ACL(aclrtGetCurrentContext)(&default_context));
  aclrtContext other = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateContext)(&other, 1));
  int32_t device = -1;
  REQUIRE_ACL(ACL(aclrtGetDevice)(&device));
  CHECK(device == 1);
  REQUIRE_ACL(ACL(aclrtDestroyContext)(other));
  CHECK(ACL(aclrtGetDevice)(&device) == ACL_ERROR_RT_CONTEXT_NULL);
  CHECK(ACL(aclrtDestroyContext)(other) == ACL_ERROR_RT_INVALID_HANDLE);
  CHECK(ACL(aclrtSetCurrentContext)(other) == ACL_ERROR_RT_CONTEXT_NULL);
  REQUIRE_ACL(ACL(aclrtSetCurrentContext)(default_context));
  REQUIRE_ACL(ACL(aclrtGetDevice)(&device));
  CHECK(device == 0);
}

// The default context cannot be destroyed; null and invented handles are refused, not touched.
TEST_CASE("Contexts that are not the caller's to destroy are refused") {
  const AclSession session;
  aclrtContext context = nullptr;
  REQUIRE_ACL(ACL(aclrtGetCurrentContext)(&context));
  CHECK(ACL(aclrtDestroyContext)(context) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtDestroyContext)(nullptr) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtSetCurrentContext)(nullptr) == ACL_ERROR_INVALID_PARAM);
  int local = 0;
  CHECK(ACL(aclrtSetCurrentContext)(&local) == ACL_ERROR_RT_CONTEXT_NULL);
  CHECK(ACL(aclrtDestroyContext)(&local) == ACL_ERROR_RT_INVALID_HANDLE);
  CHECK(ACL(aclrtGetCurrentContext)(nullptr) == ACL_ERROR_INVALID_PARAM);
}

// Status, utilisation and peer access have answers; utilizationExtend must be null.
TEST_CASE("A device tells its state") {
  const AclSession session(kTwoDevices);
  aclrtDeviceStatus status = ACL_RT_DEVICE_STATUS_END;
  REQUIRE_ACL(ACL(aclrtQueryDeviceStatus)(0, &status));
  CHECK(status == ACL_RT_DEVICE_STATUS_NORMAL);
  CHECK(ACL(aclrtQueryDeviceStatus)(5, &status) == ACL_ERROR_RT_INVALID_DEVICEID);
  aclrtUtilizationInfo info{};
  REQUIRE_ACL(ACL(aclrtGetDeviceUtilizationRate)(0, &info));
  CHECK(info.cubeUtilization >= 0);
  CHECK(info.cubeUtilization <= 100);
  CHECK(info.aicpuUtilization == -1);
  CHECK(info.memoryUtilization == -1);
  info.utilizationExtend = reinterpret_cast<aclrtUtilizationExtendInfo*>(&info);
  CHECK(ACL(aclrtGetDeviceUtilizationRate)(0, &info) == ACL_ERROR_INVALID_PARAM);
  int32_t can = -1;
  REQUIRE_ACL(ACL(aclrtDeviceCanAccessPeer)(&can, 0, 1));
  CHECK(can == 1);
  CHECK(ACL(aclrtDeviceCanAccessPeer)(&can, 0, 2) == ACL_ERROR_RT_INVALID_DEVICEID);
  CHECK(ACL(aclrtDeviceEnablePeerAccess)(1, 0) == ACL_SUCCESS);
}

}  // namespace
}  // namespace omserve::hostacl
