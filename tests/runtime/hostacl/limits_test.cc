// SPDX-License-Identifier: Apache-2.0
// What the library says of itself and its device, and the newest error as a number.
#include <string>

#include "tests/runtime/hostacl/acl_session.h"

namespace omserve::hostacl {
namespace {

// The package "runtime" has a version as a number and as a text that agree; others are refused.
TEST_CASE("The library tells a package's version") {
  std::string package = "runtime";
  int32_t number = 0;
  REQUIRE_ACL(ACL(aclsysGetVersionNum)(package.data(), &number));
  std::string text(128, '\0');
  REQUIRE_ACL(ACL(aclsysGetVersionStr)(package.data(), text.data()));
  CHECK(std::string(text.c_str()) == std::to_string(number / 10'000'000) + "." +
                                         std::to_string(number / 100'000 % 100) + "." +
                                         std::to_string(number / 1000 % 100));
  std::string other = "no_package";
  CHECK(ACL(aclsysGetVersionNum)(other.data(), &number) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclsysGetVersionStr)(package.data(), nullptr) == ACL_ERROR_INVALID_PARAM);
}

// The newest error of a thread can be looked at as often as one likes and taken once.
TEST_CASE("The newest error is a number too") {
  const AclSession session;
  static_cast<void>(ACL(aclrtGetLastError)(ACL_RT_THREAD_LEVEL));
  CHECK(ACL(aclrtPeekAtLastError)(ACL_RT_THREAD_LEVEL) == ACL_SUCCESS);
  CHECK(ACL(aclrtSetDevice)(99) == ACL_ERROR_RT_INVALID_DEVICEID);
  REQUIRE_ACL(ACL(aclrtSynchronizeDevice)());  // A success changes nothing.
  CHECK(ACL(aclrtPeekAtLastError)(ACL_RT_THREAD_LEVEL) == ACL_ERROR_RT_INVALID_DEVICEID);
  CHECK(ACL(aclrtPeekAtLastError)(ACL_RT_THREAD_LEVEL) == ACL_ERROR_RT_INVALID_DEVICEID);
  CHECK(ACL(aclrtGetLastError)(ACL_RT_THREAD_LEVEL) == ACL_ERROR_RT_INVALID_DEVICEID);
  CHECK(ACL(aclrtGetLastError)(ACL_RT_THREAD_LEVEL) == ACL_SUCCESS);
  CHECK(ACL(aclrtGetLastError)(static_cast<aclrtLastErrLevel>(7)) == ACL_ERROR_INVALID_PARAM);
}

// Only what was compiled for this chip runs on it.
TEST_CASE("A chip is compatible with itself") {
  int32_t compatible = -1;
  REQUIRE_ACL(ACL(aclrtCheckArchCompatibility)(ACL(aclrtGetSocName)(), &compatible));
  CHECK(compatible == 1);
  REQUIRE_ACL(ACL(aclrtCheckArchCompatibility)("SomeOtherChip", &compatible));
  CHECK(compatible == 0);
  CHECK(ACL(aclrtCheckArchCompatibility)(nullptr, &compatible) == ACL_ERROR_INVALID_PARAM);
}

// The device says how many cores and how much memory it has, as it was set up.
TEST_CASE("A device tells its attributes") {
  const AclSession session(R"({"cores": 3, "memory_bytes": 1048576})");
  int64_t value = 0;
  REQUIRE_ACL(ACL(aclrtGetDeviceInfo)(0, ACL_DEV_ATTR_AICORE_CORE_NUM, &value));
  CHECK(value == 3);
  REQUIRE_ACL(ACL(aclrtGetDeviceInfo)(0, ACL_DEV_ATTR_TOTAL_GLOBAL_MEM_SIZE, &value));
  CHECK(value == 1048576);
  REQUIRE_ACL(ACL(aclrtGetDeviceInfo)(0, ACL_DEV_ATTR_WARP_SIZE, &value));
  CHECK(value == 0);
  CHECK(ACL(aclrtGetDeviceInfo)(0, ACL_DEV_ATTR_SUPER_POD_ID, &value) ==
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  CHECK(ACL(aclrtGetDeviceInfo)(1, ACL_DEV_ATTR_WARP_SIZE, &value) ==
        ACL_ERROR_RT_INVALID_DEVICEID);
  CHECK(ACL(aclrtGetDeviceInfo)(0, ACL_DEV_ATTR_WARP_SIZE, nullptr) == ACL_ERROR_INVALID_PARAM);
}

// A limit of cores holds until it is reset; more than there are, or none, cannot be set.
TEST_CASE("The cores of a device can be limited") {
  const AclSession session(R"({"cores": 4})");
  uint32_t cores = 0;
  REQUIRE_ACL(ACL(aclrtGetDeviceResLimit)(0, ACL_RT_DEV_RES_CUBE_CORE, &cores));
  CHECK(cores == 4);
  REQUIRE_ACL(ACL(aclrtSetDeviceResLimit)(0, ACL_RT_DEV_RES_CUBE_CORE, 2));
  REQUIRE_ACL(ACL(aclrtGetDeviceResLimit)(0, ACL_RT_DEV_RES_CUBE_CORE, &cores));
  CHECK(cores == 2);
  CHECK(ACL(aclrtSetDeviceResLimit)(0, ACL_RT_DEV_RES_CUBE_CORE, 5) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtSetDeviceResLimit)(0, ACL_RT_DEV_RES_CUBE_CORE, 0) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtSetDeviceResLimit)(0, ACL_RT_DEV_RES_VECTOR_CORE, 1) ==
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  REQUIRE_ACL(ACL(aclrtResetDeviceResLimit)(0));
  REQUIRE_ACL(ACL(aclrtGetDeviceResLimit)(0, ACL_RT_DEV_RES_CUBE_CORE, &cores));
  CHECK(cores == 4);
}

// What this device has not is refused with a text that names the function.
TEST_CASE("Functions without a device behind them say so") {
  const AclSession session;
  RecentError();
  CHECK(ACL(aclrtGetErrorVerbose)(0, nullptr) == ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  CHECK_THAT(RecentError(), Catch::Contains("aclrtGetErrorVerbose"));
  CHECK(ACL(aclrtAllocatorRegister)(nullptr, nullptr) == ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  CHECK_THAT(RecentError(), Catch::Contains("aclrtAllocatorRegister"));
  CHECK(ACL(aclrtMemPoolCreate)(nullptr, nullptr) == ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  CHECK_THAT(RecentError(), Catch::Contains("aclrtMemPoolCreate"));
  CHECK(ACL(aclrtActiveStream)(nullptr, nullptr) == ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  CHECK_THAT(RecentError(), Catch::Contains("aclrtActiveStream"));
  CHECK(ACL(aclmdlCreateAndGetOpDesc)(0, 0, 0, nullptr, 0, nullptr, nullptr, nullptr, nullptr) ==
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  CHECK_THAT(RecentError(), Catch::Contains("aclmdlCreateAndGetOpDesc"));
  REQUIRE_ACL(ACL(aclrtSetOpExecuteTimeOut)(30));
}

}  // namespace
}  // namespace omserve::hostacl
