// SPDX-License-Identifier: Apache-2.0
// 1.2: devices.
#include <algorithm>
#include <cstdlib>

#include "tests/runtime/hostacl/contract/fixture.h"

namespace omserve::hostacl {
namespace {

int32_t DeviceCount() {
  uint32_t count = 0;
  REQUIRE_ACL(ACL(aclrtGetDeviceCount)(&count));
  return static_cast<int32_t>(count);
}

// Each setting counts; the device stays set until the last reset, and one reset too many fails.
TEST_CASE("Settings of a device are counted",
          "[1.2/aclrtSetDevice][1.2/aclrtResetDevice][1.2/aclrtGetDevice][misuse]") {
  const AclSession session;
  REQUIRE_ACL(ACL(aclrtSetDevice)(0));
  REQUIRE_ACL(ACL(aclrtResetDevice)(0));
  int32_t device = -1;
  REQUIRE_ACL(ACL(aclrtGetDevice)(&device));
  CHECK(device == 0);
  REQUIRE_ACL(ACL(aclrtResetDevice)(0));
  CHECK(ACL(aclrtResetDevice)(0) != ACL_SUCCESS);
}

// The last reset takes the thread's context away.
TEST_CASE("A thread without device has no current device", "[1.2/aclrtGetDevice][misuse]") {
  const AclSession session;
  int32_t device = -1;
  aclError code = ACL_SUCCESS;
  InNewThread([&] { code = ACL(aclrtGetDevice)(&device); });
  CHECK(code == ACL_ERROR_RT_CONTEXT_NULL);
  REQUIRE_ACL(ACL(aclrtResetDevice)(0));
  CHECK(ACL(aclrtGetDevice)(&device) == ACL_ERROR_RT_CONTEXT_NULL);
}

// Threads that set one device share its default context.
TEST_CASE("Threads that set one device share its context", "[1.2/aclrtSetDevice]") {
  const AclSession session;
  aclrtContext of_other_thread = nullptr;
  aclError reset_code = ACL_ERROR_FAILURE;
  InNewThread([&] {
    ACL(aclrtSetDevice)(0);
    ACL(aclrtGetCurrentContext)(&of_other_thread);
    reset_code = ACL(aclrtResetDevice)(0);
  });
  CHECK(of_other_thread == CurrentContext());
  CHECK(reset_code == ACL_SUCCESS);
}

TEST_CASE("Devices that are not there are refused",
          "[1.2/aclrtSetDevice][1.2/aclrtResetDevice][1.2/aclrtGetDeviceCount]") {
  const AclSession session;
  const int32_t count = DeviceCount();
  CHECK(count >= 1);
  CHECK(ACL(aclrtSetDevice)(count) != ACL_SUCCESS);
  CHECK(ACL(aclrtSetDevice)(-1) != ACL_SUCCESS);
  CHECK(ACL(aclrtResetDevice)(count) != ACL_SUCCESS);
}

// A reset waits for what the default stream still has to do.
TEST_CASE("The last reset waits for the default stream",
          "[1.2/aclrtResetDevice][needs aclrtLaunchHostFunc]") {
  const AclSession session;
  struct Work {
    std::vector<uint32_t> numbers = std::vector<uint32_t>(200000);
    std::atomic<bool> done{false};
  };
  Work work;
  const auto run = [](void* argument) {
    auto* self = static_cast<Work*>(argument);
    uint32_t next = 1;
    std::generate(self->numbers.begin(), self->numbers.end(),
                  [&next] { return next = next * 1664525U + 1013904223U; });
    std::sort(self->numbers.begin(), self->numbers.end());
    self->done = true;
  };
  REQUIRE_ACL(ACL(aclrtLaunchHostFunc)(nullptr, run, &work));
  REQUIRE_ACL(ACL(aclrtResetDevice)(0));
  CHECK(work.done);
}

// One forced reset ends a device that was set twice; the ordinary one then has nothing to reset.
TEST_CASE("A forced reset ignores the count", "[1.2/aclrtResetDeviceForce][misuse]") {
  const AclSession session;
  REQUIRE_ACL(ACL(aclrtSetDevice)(0));
  REQUIRE_ACL(ACL(aclrtResetDeviceForce)(0));
  CHECK(ACL(aclrtResetDevice)(0) != ACL_SUCCESS);
  REQUIRE_ACL(ACL(aclrtSetDevice)(0));
  void* memory = nullptr;
  REQUIRE_ACL(ACL(aclrtMalloc)(&memory, 64, ACL_MEM_MALLOC_HUGE_FIRST));
  REQUIRE_ACL(ACL(aclrtFree)(memory));
}

// It waits for explicit streams and for the default one.
TEST_CASE("Synchronising a device waits for all its streams", "[1.2/aclrtSynchronizeDevice]") {
  const AclSession session;
  const TestStream first;
  const TestStream second;
  const DeviceBytes device(Sequence(64));
  const PinnedBytes a(64);
  const PinnedBytes b(64);
  const PinnedBytes c(64);
  const PinnedBytes* const targets[] = {&a, &b, &c};
  aclrtStream const streams[] = {first.get(), second.get(), nullptr};
  for (size_t i = 0; i < 3; ++i) {
    REQUIRE_ACL(ACL(aclrtMemcpyAsync)(targets[i]->get(), 64, device.get(), 64,
                                      ACL_MEMCPY_DEVICE_TO_HOST, streams[i]));
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeDevice)());
  for (const PinnedBytes* target : targets) {
    CHECK(std::vector<uint8_t>(target->bytes(), target->bytes() + 64) == Sequence(64));
  }
}

// It gives up after its milliseconds; the work goes on.
TEST_CASE("Synchronising a device can expire", "[1.2/aclrtSynchronizeDeviceWithTimeout]") {
  const AclSession session;
  const TestStream stream;
  {
    const StreamGate gate(stream.get());
    CHECK(ACL(aclrtSynchronizeDeviceWithTimeout)(1) != ACL_SUCCESS);
  }
  CHECK(ACL(aclrtSynchronizeDeviceWithTimeout)(-1) == ACL_SUCCESS);
}

// Percentages, or -1 for what the chip does not say; memory is never said.
TEST_CASE("A device tells how busy it is", "[1.2/aclrtGetDeviceUtilizationRate]") {
  const AclSession session;
  aclrtUtilizationInfo info{};
  REQUIRE_ACL(ACL(aclrtGetDeviceUtilizationRate)(0, &info));
  for (const int32_t percent :
       {info.cubeUtilization, info.vectorUtilization, info.aicpuUtilization}) {
    CHECK(percent >= -1);
    CHECK(percent <= 100);
  }
  CHECK(info.memoryUtilization == -1);
}

TEST_CASE("A device tells that it is well", "[1.2/aclrtQueryDeviceStatus]") {
  const AclSession session;
  aclrtDeviceStatus status = ACL_RT_DEVICE_STATUS_END;
  REQUIRE_ACL(ACL(aclrtQueryDeviceStatus)(0, &status));
  CHECK(status == ACL_RT_DEVICE_STATUS_NORMAL);
}

TEST_CASE("The task scheduler can be chosen", "[1.2/aclrtSetTsDevice]") {
  const AclSession session;
  CHECK(ACL(aclrtSetTsDevice)(ACL_TS_ID_AICORE) == ACL_SUCCESS);
  CHECK(ACL(aclrtSetTsDevice)(static_cast<aclrtTsId>(77)) != ACL_SUCCESS);
}

// What two devices say of each other is what enabling does.
TEST_CASE("Devices reach each other's memory where they say so",
          "[1.2/aclrtDeviceCanAccessPeer][1.2/aclrtDeviceEnablePeerAccess][needs two devices]") {
  const AclSession session(kTwoDevices);
  int32_t can = -1;
  REQUIRE_ACL(ACL(aclrtDeviceCanAccessPeer)(&can, 0, 1));
  CHECK((can == 0 || can == 1));
  if (can == 1) {
    CHECK(ACL(aclrtDeviceEnablePeerAccess)(1, 0) == ACL_SUCCESS);
  } else {
    CHECK(ACL(aclrtDeviceEnablePeerAccess)(1, 0) != ACL_SUCCESS);
  }
}

TEST_CASE("A device tells how much memory it has", "[1.2/aclrtGetDeviceInfo]") {
  const AclSession session;
  int64_t value = -1;
  if (CheckDoneOrUnsupported(
          ACL(aclrtGetDeviceInfo)(0, ACL_DEV_ATTR_TOTAL_GLOBAL_MEM_SIZE, &value))) {
    CHECK(value > 0);
  }
  CHECK(ACL(aclrtGetDeviceInfo)(0, ACL_DEV_ATTR_TOTAL_GLOBAL_MEM_SIZE, nullptr) != ACL_SUCCESS);
  const auto beyond = static_cast<uint32_t>(DeviceCount());
  CHECK(ACL(aclrtGetDeviceInfo)(beyond, ACL_DEV_ATTR_TOTAL_GLOBAL_MEM_SIZE, &value) != ACL_SUCCESS);
}

// One core is a limit that every device can keep, where it can be limited; more than there are is
// none.
TEST_CASE("A process can be limited to some cores",
          "[1.2/aclrtSetDeviceResLimit][1.2/aclrtGetDeviceResLimit]"
          "[1.2/aclrtResetDeviceResLimit]") {
  const AclSession session;
  if (CheckDoneOrUnsupported(ACL(aclrtSetDeviceResLimit)(0, ACL_RT_DEV_RES_CUBE_CORE, 1))) {
    uint32_t limit = 99;
    REQUIRE_ACL(ACL(aclrtGetDeviceResLimit)(0, ACL_RT_DEV_RES_CUBE_CORE, &limit));
    CHECK(limit == 1);
    CHECK(ACL(aclrtResetDeviceResLimit)(0) == ACL_SUCCESS);
  }
  CHECK(ACL(aclrtSetDeviceResLimit)(DeviceCount(), ACL_RT_DEV_RES_CUBE_CORE, 1) != ACL_SUCCESS);
}

TEST_CASE("Error details are not given to null", "[1.2/aclrtGetErrorVerbose]") {
  const AclSession session;
  CHECK(ACL(aclrtGetErrorVerbose)(0, nullptr) != ACL_SUCCESS);
}

// The variable hides the first device, so that the second is number 0 and there is no other.
TEST_CASE("The environment chooses the visible devices",
          "[rule/visible-devices][1.2/aclrtGetDeviceCount][needs hostacl]") {
  setenv("ASCEND_RT_VISIBLE_DEVICES", "1", 1);
  REQUIRE_ACL(
      ACL(aclInit)(WriteTextFile("two.json", R"({"hostacl": {"device_count": 2}})").c_str()));
  const int32_t count = DeviceCount();
  CHECK(count == 1);
  CHECK(ACL(aclrtSetDevice)(0) == ACL_SUCCESS);
  CHECK(ACL(aclrtSetDevice)(1) != ACL_SUCCESS);
  REQUIRE_ACL(ACL(aclFinalize)());
  unsetenv("ASCEND_RT_VISIBLE_DEVICES");
}

// Events and streams first, then contexts, then the device: nothing is refused on the way.
TEST_CASE("Everything can be given back in order", "[rule/order-of-destruction]") {
  const AclSession session;
  aclrtContext context = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateContext)(&context, 0));
  aclrtStream stream = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateStream)(&stream));
  aclrtEvent event = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateEvent)(&event));
  REQUIRE_ACL(ACL(aclrtRecordEvent)(event, stream));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream));
  CHECK(ACL(aclrtDestroyEvent)(event) == ACL_SUCCESS);
  CHECK(ACL(aclrtDestroyStream)(stream) == ACL_SUCCESS);
  CHECK(ACL(aclrtDestroyContext)(context) == ACL_SUCCESS);
  CHECK(ACL(aclrtResetDevice)(0) == ACL_SUCCESS);
}

}  // namespace
}  // namespace omserve::hostacl
