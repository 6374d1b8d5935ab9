// SPDX-License-Identifier: Apache-2.0
// Streams made from a configuration, aborted streams, the overflow switch.
#include <vector>

#include "tests/runtime/hostacl/acl_session.h"

namespace omserve::hostacl {
namespace {

// A stream is made from a configuration, or from none; what a configuration may not say is refused.
TEST_CASE("A stream is made from a configuration") {
  const AclSession session;
  aclrtStream stream = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateStreamV2)(&stream, nullptr));
  REQUIRE_ACL(ACL(aclrtDestroyStream)(stream));

  aclrtStreamConfigHandle* config = ACL(aclrtCreateStreamConfigHandle)();
  const uint32_t priority = 3;
  const size_t flags = ACL_STREAM_FAST_LAUNCH;
  REQUIRE_ACL(ACL(aclrtSetStreamConfigOpt)(config, ACL_RT_STREAM_PRIORITY, &priority, 4));
  REQUIRE_ACL(ACL(aclrtSetStreamConfigOpt)(config, ACL_RT_STREAM_FLAG, &flags, 8));
  REQUIRE_ACL(ACL(aclrtCreateStreamV2)(&stream, config));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream));
  REQUIRE_ACL(ACL(aclrtDestroyStream)(stream));

  CHECK(ACL(aclrtSetStreamConfigOpt)(config, ACL_RT_STREAM_PRIORITY, &priority, 8) ==
        ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtSetStreamConfigOpt)(config, ACL_RT_STREAM_WORK_SIZE, &flags, 8) ==
        ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  const uint32_t too_low = 8;
  REQUIRE_ACL(ACL(aclrtSetStreamConfigOpt)(config, ACL_RT_STREAM_PRIORITY, &too_low, 4));
  CHECK(ACL(aclrtCreateStreamV2)(&stream, config) == ACL_ERROR_RT_PARAM_INVALID);
  REQUIRE_ACL(ACL(aclrtDestroyStreamConfigHandle)(config));
  CHECK(ACL(aclrtCreateStreamV2)(&stream, config) == ACL_ERROR_INVALID_PARAM);
}

// Aborting a stream ends the wait that it is in and drops what has not begun; it can be used again.
TEST_CASE("A stream is aborted") {
  const AclSession session;
  const TestStream stream;
  const DeviceBytes bytes(std::vector<int>{1});
  aclrtEvent never = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateEvent)(&never));
  REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(stream.get(), never));
  REQUIRE_ACL(ACL(aclrtMemsetAsync)(bytes.get(), 4, 0, 4, stream.get()));
  REQUIRE_ACL(ACL(aclrtStreamAbort)(stream.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(bytes.Read<int>() == std::vector<int>{1});
  REQUIRE_ACL(ACL(aclrtMemsetAsync)(bytes.get(), 4, 0, 4, stream.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(bytes.Read<int>() == std::vector<int>{0});
  REQUIRE_ACL(ACL(aclrtDestroyEvent)(never));
}

// Overflow is not detected, which the switch says.
TEST_CASE("The overflow switch is off") {
  const AclSession session;
  const TestStream stream;
  uint32_t flag = 7;
  REQUIRE_ACL(ACL(aclrtSetStreamOverflowSwitch)(stream.get(), 0));
  REQUIRE_ACL(ACL(aclrtGetStreamOverflowSwitch)(stream.get(), &flag));
  CHECK(flag == 0);
  CHECK(ACL(aclrtSetStreamOverflowSwitch)(stream.get(), 1) == ACL_ERROR_RT_FEATURE_NOT_SUPPORT);
  CHECK(ACL(aclrtSetStreamOverflowSwitch)(stream.get(), 2) == ACL_ERROR_RT_PARAM_INVALID);
}

}  // namespace
}  // namespace omserve::hostacl
