// SPDX-License-Identifier: Apache-2.0
// 1.3: contexts, and which thread has which.
#include "tests/runtime/hostacl/contract/fixture.h"

namespace omserve::hostacl {
namespace {

// What a thread without context is told by each family of calls.
TEST_CASE("A new thread has no context",
          "[rule/thread-has-no-context][1.3/aclrtGetCurrentContext][misuse]") {
  const AclSession session;
  const DeviceBytes device(64);
  std::vector<std::pair<const char*, aclError>> answers;
  InNewThread([&] {
    void* memory = nullptr;
    aclrtStream stream = nullptr;
    aclrtEvent event = nullptr;
    aclrtContext context = nullptr;
    uint8_t byte = 0;
    answers = {
        {"aclrtGetCurrentContext", ACL(aclrtGetCurrentContext)(&context)},
        {"aclrtMalloc", ACL(aclrtMalloc)(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST)},
        {"aclrtMemcpy", ACL(aclrtMemcpy)(&byte, 1, device.get(), 1, ACL_MEMCPY_DEVICE_TO_HOST)},
        {"aclrtCreateStream", ACL(aclrtCreateStream)(&stream)},
        {"aclrtCreateEvent", ACL(aclrtCreateEvent)(&event)},
        {"aclrtSynchronizeDevice", ACL(aclrtSynchronizeDevice)()},
    };
  });
  for (const auto& [function, code] : answers) {
    INFO(function);
    CHECK(code == ACL_ERROR_RT_CONTEXT_NULL);
  }
}

// A created context is the thread's at once; the last call decides.
TEST_CASE("A created context becomes current",
          "[1.3/aclrtCreateContext][1.3/aclrtSetCurrentContext][1.3/aclrtGetCurrentContext]") {
  const AclSession session;
  aclrtContext const mine = CurrentContext();
  aclrtContext other = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateContext)(&other, 0));
  CHECK(other != mine);
  CHECK(CurrentContext() == other);
  REQUIRE_ACL(ACL(aclrtSetCurrentContext)(mine));
  CHECK(CurrentContext() == mine);
  REQUIRE_ACL(ACL(aclrtSetCurrentContext)(other));
  CHECK(CurrentContext() == other);
  REQUIRE_ACL(ACL(aclrtSetCurrentContext)(mine));
  REQUIRE_ACL(ACL(aclrtDestroyContext)(other));
}

// A thread works under the context that another one hands it.
TEST_CASE("A context can be handed to another thread", "[1.3/aclrtSetCurrentContext]") {
  const AclSession session;
  aclrtContext const mine = CurrentContext();
  const DeviceBytes device(64);
  aclError set_code = ACL_ERROR_FAILURE;
  aclError work_code = ACL_ERROR_FAILURE;
  InNewThread([&] {
    set_code = ACL(aclrtSetCurrentContext)(mine);
    work_code = ACL(aclrtMemset)(device.get(), 64, 7, 64);
  });
  CHECK(set_code == ACL_SUCCESS);
  CHECK(work_code == ACL_SUCCESS);
  CHECK(device.Read<uint8_t>() == std::vector<uint8_t>(64, 7));
}

// The context decides the device.
TEST_CASE("Setting a context switches the device",
          "[1.3/aclrtSetCurrentContext][1.3/aclrtCreateContext][needs two devices]") {
  const AclSession session(kTwoDevices);
  aclrtContext const mine = CurrentContext();
  aclrtContext other = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateContext)(&other, 1));
  int32_t device = -1;
  REQUIRE_ACL(ACL(aclrtGetDevice)(&device));
  CHECK(device == 1);
  REQUIRE_ACL(ACL(aclrtSetCurrentContext)(mine));
  REQUIRE_ACL(ACL(aclrtGetDevice)(&device));
  CHECK(device == 0);
  REQUIRE_ACL(ACL(aclrtDestroyContext)(other));
}

// The device's own context goes with its reset, and not before.
TEST_CASE("The default context cannot be destroyed", "[1.3/aclrtDestroyContext]") {
  const AclSession session;
  CHECK(ACL(aclrtDestroyContext)(CurrentContext()) != ACL_SUCCESS);
  const DeviceBytes still_works(64);
  CHECK(still_works.get() != nullptr);
}

TEST_CASE("A created context can be destroyed", "[1.3/aclrtDestroyContext]") {
  const AclSession session;
  aclrtContext const mine = CurrentContext();
  aclrtContext other = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateContext)(&other, 0));
  REQUIRE_ACL(ACL(aclrtSetCurrentContext)(mine));
  CHECK(ACL(aclrtDestroyContext)(other) == ACL_SUCCESS);
  CHECK(CurrentContext() == mine);
}

TEST_CASE("Contexts on devices that are not there are refused", "[1.3/aclrtCreateContext]") {
  const AclSession session;
  uint32_t count = 0;
  REQUIRE_ACL(ACL(aclrtGetDeviceCount)(&count));
  aclrtContext context = nullptr;
  CHECK(ACL(aclrtCreateContext)(&context, static_cast<int32_t>(count)) != ACL_SUCCESS);
  CHECK(ACL(aclrtCreateContext)(&context, -1) != ACL_SUCCESS);
}

TEST_CASE("Null contexts and null outputs are refused",
          "[1.3/aclrtCreateContext][1.3/aclrtDestroyContext][1.3/aclrtSetCurrentContext]"
          "[1.3/aclrtGetCurrentContext]") {
  const AclSession session;
  CHECK(ACL(aclrtCreateContext)(nullptr, 0) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtDestroyContext)(nullptr) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtSetCurrentContext)(nullptr) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtGetCurrentContext)(nullptr) == ACL_ERROR_INVALID_PARAM);
}

// The handle of the default stream stands for what NULL stands for.
TEST_CASE("The default stream has a handle",
          "[1.3/aclrtCtxGetCurrentDefaultStream][needs aclrtStreamQuery]") {
  const AclSession session;
  aclrtStream stream = nullptr;
  REQUIRE_ACL(ACL(aclrtCtxGetCurrentDefaultStream)(&stream));
  REQUIRE(stream != nullptr);
  {
    const StreamGate gate(nullptr);
    aclrtStreamStatus status = ACL_STREAM_STATUS_RESERVED;
    REQUIRE_ACL(ACL(aclrtStreamQuery)(stream, &status));
    CHECK(status == ACL_STREAM_STATUS_NOT_READY);
  }
  CHECK(ACL(aclrtSynchronizeStream)(stream) == ACL_SUCCESS);
}

// A device's own context is active from its setting to its last reset.
TEST_CASE("The primary context is active while the device is set",
          "[1.3/aclrtGetPrimaryCtxState]") {
  const AclSession session;
  uint32_t flags = 99;
  int32_t active = -1;
  REQUIRE_ACL(ACL(aclrtGetPrimaryCtxState)(0, &flags, &active));
  CHECK(active == 1);
  REQUIRE_ACL(ACL(aclrtResetDevice)(0));
  REQUIRE_ACL(ACL(aclrtGetPrimaryCtxState)(0, &flags, &active));
  CHECK(active == 0);
}

// 107003 for the calls that take a stream of another context.
TEST_CASE("A stream of another context is refused", "[rule/stream-of-another-context][misuse]") {
  const AclSession session;
  const TestStream stream;
  const DeviceBytes device(64);
  aclrtContext const mine = CurrentContext();
  aclrtContext other = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateContext)(&other, 0));
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) == ACL_ERROR_RT_STREAM_CONTEXT);
  CHECK(ACL(aclrtMemsetAsync)(device.get(), 64, 0, 64, stream.get()) ==
        ACL_ERROR_RT_STREAM_CONTEXT);
  CHECK(ACL(aclrtDestroyStream)(stream.get()) == ACL_ERROR_RT_STREAM_CONTEXT);
  REQUIRE_ACL(ACL(aclrtSetCurrentContext)(mine));
  REQUIRE_ACL(ACL(aclrtDestroyContext)(other));
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) == ACL_SUCCESS);
}

}  // namespace
}  // namespace omserve::hostacl
