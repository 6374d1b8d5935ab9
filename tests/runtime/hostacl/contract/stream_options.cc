// SPDX-License-Identifier: Apache-2.0
// 1.4: what came later for streams: configurations, aborting, switches.
#include "tests/runtime/hostacl/contract/fixture.h"

namespace omserve::hostacl {
namespace {

// A fill that the stream does in its turn.
void CheckUsable(aclrtStream stream) {
  const DeviceBytes device(std::vector<uint8_t>(64, 0));
  REQUIRE_ACL(ACL(aclrtMemsetAsync)(device.get(), 64, 7, 64, stream));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream));
  CHECK(device.Read<uint8_t>() == std::vector<uint8_t>(64, 7));
}

// The handle may go once the stream is there.
TEST_CASE("A stream can be made from a configuration",
          "[1.4/aclrtCreateStreamV2][1.4/aclrtCreateStreamConfigHandle]"
          "[1.4/aclrtSetStreamConfigOpt][1.4/aclrtDestroyStreamConfigHandle]") {
  const AclSession session;
  aclrtStreamConfigHandle* config = ACL(aclrtCreateStreamConfigHandle)();
  REQUIRE(config != nullptr);
  const uint32_t priority = 0;
  const size_t flags = ACL_STREAM_FAST_SYNC;
  CHECK(ACL(aclrtSetStreamConfigOpt)(config, ACL_RT_STREAM_PRIORITY, &priority, sizeof(priority)) ==
        ACL_SUCCESS);
  CHECK(ACL(aclrtSetStreamConfigOpt)(config, ACL_RT_STREAM_FLAG, &flags, sizeof(flags)) ==
        ACL_SUCCESS);
  CHECK(ACL(aclrtSetStreamConfigOpt)(config, ACL_RT_STREAM_FLAG, nullptr, sizeof(flags)) !=
        ACL_SUCCESS);
  aclrtStream stream = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateStreamV2)(&stream, config));
  CHECK(ACL(aclrtDestroyStreamConfigHandle)(config) == ACL_SUCCESS);
  CheckUsable(stream);
  CHECK(ACL(aclrtDestroyStream)(stream) == ACL_SUCCESS);
  CHECK(ACL(aclrtCreateStreamV2)(nullptr, nullptr) != ACL_SUCCESS);
}

TEST_CASE("Aborting an idle stream does no harm", "[1.4/aclrtStreamAbort]") {
  const AclSession session;
  const TestStream stream;
  REQUIRE_ACL(ACL(aclrtStreamAbort)(stream.get()));
  CheckUsable(stream.get());
}

// What waits is stopped, what stands behind it is dropped, and who waits for the stream is told.
TEST_CASE("An aborted stream drops its tasks", "[1.4/aclrtStreamAbort][needs hostacl]") {
  const AclSession session;
  const TestStream stream;
  const DeviceBytes device(std::vector<uint8_t>(64, 0));
  aclrtContext const context = CurrentContext();
  aclrtEvent event = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateEvent)(&event));
  REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(stream.get(), event));
  REQUIRE_ACL(ACL(aclrtMemsetAsync)(device.get(), 64, 7, 64, stream.get()));
  aclError waiter_code = ACL_SUCCESS;
  std::thread waiter([&] {
    ACL(aclrtSetCurrentContext)(context);
    waiter_code = ACL(aclrtSynchronizeStream)(stream.get());
  });
  const aclError abort_code = ACL(aclrtStreamAbort)(stream.get());
  waiter.join();
  CHECK(abort_code == ACL_SUCCESS);
  CHECK(device.Read<uint8_t>() == std::vector<uint8_t>(64, 0));
  REQUIRE_ACL(ACL(aclrtDestroyEvent)(event));
}

TEST_CASE("Overflow detection can be switched",
          "[1.4/aclrtSetStreamOverflowSwitch][1.4/aclrtGetStreamOverflowSwitch]") {
  const AclSession session;
  const TestStream stream;
  for (const uint32_t wanted : {1U, 0U}) {
    if (CheckDoneOrUnsupported(ACL(aclrtSetStreamOverflowSwitch)(stream.get(), wanted))) {
      uint32_t got = 99;
      REQUIRE_ACL(ACL(aclrtGetStreamOverflowSwitch)(stream.get(), &got));
      CHECK(got == wanted);
    }
  }
  CHECK(ACL(aclrtSetStreamOverflowSwitch)(stream.get(), 7) != ACL_SUCCESS);
}

// Only a stream that holds its tasks is woken by another; an ordinary one refuses or ignores it.
TEST_CASE("Waking a stream that holds nothing does no harm", "[1.4/aclrtActiveStream]") {
  const AclSession session;
  const TestStream active;
  const TestStream stream;
  ACL(aclrtActiveStream)(active.get(), stream.get());
  ACL(aclrtSynchronizeStream)(stream.get());
  CheckUsable(stream.get());
  CheckUsable(active.get());
}

}  // namespace
}  // namespace omserve::hostacl
