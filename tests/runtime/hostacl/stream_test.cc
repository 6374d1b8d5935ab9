// SPDX-License-Identifier: Apache-2.0
// Streams: order, overlap, synchronisation, failures.
#include <atomic>
#include <vector>

#include "tests/runtime/hostacl/acl_session.h"

namespace omserve::hostacl {
namespace {

// Appends its number to a vector that only the stream's worker touches.
struct Step {
  std::vector<int>* order;
  int number;
};
void RunStep(void* step) {
  const auto* self = static_cast<Step*>(step);
  self->order->push_back(self->number);
}

// Device memory that was freed: a copy from it is accepted and fails when it runs.
void* DeadAddress() {
  void* address = nullptr;
  REQUIRE_ACL(ACL(aclrtMalloc)(&address, 256, ACL_MEM_MALLOC_HUGE_FIRST));
  REQUIRE_ACL(ACL(aclrtFree)(address));
  return address;
}

// A synchronisation with a timeout gives 507046 when it expires, and the work goes on.
TEST_CASE("Synchronising with a timeout can expire") {
  const AclSession session;
  const TestStream stream;
  {
    StreamGate gate(stream.get());
    CHECK(ACL(aclrtSynchronizeStreamWithTimeout)(stream.get(), 1) ==
          ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
    CHECK(ACL(aclrtSynchronizeDeviceWithTimeout)(1) == ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  }
  CHECK(ACL(aclrtSynchronizeStreamWithTimeout)(stream.get(), -1) == ACL_SUCCESS);
  CHECK(ACL(aclrtSynchronizeStreamWithTimeout)(stream.get(), 0) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtSynchronizeStreamWithTimeout)(stream.get(), -2) == ACL_ERROR_RT_PARAM_INVALID);
}

// A task's failure surfaces at the next synchronisation of its stream, once, with its text; tasks
// after it run.
TEST_CASE("A task's failure surfaces at synchronisation") {
  const AclSession session;
  const TestStream stream;
  const DeviceBytes target(64);
  std::vector<int> order;
  Step step{&order, 1};
  REQUIRE_ACL(ACL(aclrtMemcpyAsync)(target.get(), 64, DeadAddress(), 64,
                                    ACL_MEMCPY_DEVICE_TO_DEVICE, stream.get()));
  REQUIRE_ACL(ACL(aclrtLaunchHostFunc)(stream.get(), &RunStep, &step));
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) == ACL_ERROR_RT_SYS_DMA);
  CHECK_THAT(RecentError(), Catch::Contains("live allocation"));
  CHECK(order == std::vector<int>{1});
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) == ACL_SUCCESS);
}

struct SeenFailure {
  std::atomic<int> calls{0};
  std::atomic<uint32_t> stream{0};
  std::atomic<uint32_t> device{99};
  std::atomic<uint32_t> code{0};
};
SeenFailure& Seen() {
  static SeenFailure seen;
  return seen;
}
void OnException(aclrtExceptionInfo* info) {
  Seen().stream = ACL(aclrtGetStreamIdFromExceptionInfo)(info);
  Seen().device = ACL(aclrtGetDeviceIdFromExceptionInfo)(info);
  Seen().code = ACL(aclrtGetErrorCodeFromExceptionInfo)(info);
  ++Seen().calls;
}
void ReadCalls(void* calls) { *static_cast<int*>(calls) = Seen().calls; }

// The exception callback has returned, with stream, device and code, before the stream's next task.
TEST_CASE("The exception callback runs before the next task") {
  const AclSession session;
  const TestStream stream;
  const DeviceBytes target(64);
  Seen().calls = 0;
  REQUIRE_ACL(ACL(aclrtSetExceptionInfoCallback)(&OnException));
  int calls_at_next_task = -1;
  REQUIRE_ACL(ACL(aclrtMemcpyAsync)(target.get(), 64, DeadAddress(), 64,
                                    ACL_MEMCPY_DEVICE_TO_DEVICE, stream.get()));
  REQUIRE_ACL(ACL(aclrtLaunchHostFunc)(stream.get(), &ReadCalls, &calls_at_next_task));
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) != ACL_SUCCESS);
  CHECK(calls_at_next_task == 1);
  int32_t stream_id = 0;
  REQUIRE_ACL(ACL(aclrtStreamGetId)(stream.get(), &stream_id));
  CHECK(Seen().stream == static_cast<uint32_t>(stream_id));
  CHECK(Seen().device == 0);
  CHECK(Seen().code == static_cast<uint32_t>(ACL_ERROR_RT_SYS_DMA));
  REQUIRE_ACL(ACL(aclrtSetExceptionInfoCallback)(nullptr));
  CHECK(ACL(aclrtGetTaskIdFromExceptionInfo)(nullptr) == 0xFFFFFFFF);
  CHECK(ACL(aclrtGetThreadIdFromExceptionInfo)(nullptr) == 0xFFFFFFFF);
}

// In the stop mode a failure keeps later work of the context from running, and stays.
TEST_CASE("A stream can stop on failure") {
  const AclSession session;
  const TestStream stream;
  const DeviceBytes target(std::vector<uint8_t>(64, 1));
  REQUIRE_ACL(ACL(aclrtSetStreamFailureMode)(stream.get(), 1));
  CHECK(ACL(aclrtSetStreamFailureMode)(stream.get(), 2) == ACL_ERROR_RT_PARAM_INVALID);
  // Once per stream, and never of a default stream.
  CHECK(ACL(aclrtSetStreamFailureMode)(stream.get(), 0) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtSetStreamFailureMode)(nullptr, 1) == ACL_ERROR_RT_PARAM_INVALID);
  REQUIRE_ACL(ACL(aclrtMemcpyAsync)(target.get(), 64, DeadAddress(), 64,
                                    ACL_MEMCPY_DEVICE_TO_DEVICE, stream.get()));
  REQUIRE_ACL(ACL(aclrtMemsetAsync)(target.get(), 64, 7, 64, stream.get()));
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) == ACL_ERROR_RT_SYS_DMA);
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) == ACL_ERROR_RT_SYS_DMA);
  CHECK(target.Read<uint8_t>() == std::vector<uint8_t>(64, 1));
}

// Destroying a stream waits for its tasks; a destroyed or invented handle is refused afterwards.
TEST_CASE("A destroyed stream is unknown") {
  const AclSession session;
  aclrtStream stream = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateStream)(&stream));
  std::vector<int> order;
  Step step{&order, 1};
  REQUIRE_ACL(ACL(aclrtLaunchHostFunc)(stream, &RunStep, &step));
  REQUIRE_ACL(ACL(aclrtDestroyStream)(stream));
  CHECK(order == std::vector<int>{1});
  CHECK(ACL(aclrtDestroyStream)(stream) == ACL_ERROR_RT_INVALID_HANDLE);
  CHECK(ACL(aclrtSynchronizeStream)(stream) == ACL_ERROR_RT_INVALID_HANDLE);
  int local = 0;
  CHECK(ACL(aclrtSynchronizeStream)(&local) == ACL_ERROR_RT_INVALID_HANDLE);
  CHECK(ACL(aclrtDestroyStream)(nullptr) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtCreateStream)(nullptr) == ACL_ERROR_INVALID_PARAM);
}

// A stream that waits for an event nobody records can be destroyed by force, and is at
// finalisation.
TEST_CASE("A stream that waits for ever can be ended by force") {
  const AclSession session;
  aclrtEvent event = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateEvent)(&event));
  aclrtStream forced = nullptr;
  aclrtStream left = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateStream)(&forced));
  REQUIRE_ACL(ACL(aclrtCreateStream)(&left));
  REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(forced, event));
  REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(left, event));
  REQUIRE_ACL(ACL(aclrtDestroyStreamForce)(forced));
}

// A device has a limited number of streams, default ones included; the next is 207008.
TEST_CASE("Streams are limited") {
  const AclSession session(R"({"max_streams": 3})");
  uint32_t available = 0;
  REQUIRE_ACL(ACL(aclrtGetStreamAvailableNum)(&available));
  CHECK(available == 2);
  const TestStream first;
  aclrtStream second = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateStreamWithConfig)(&second, 0, ACL_STREAM_FAST_SYNC));
  aclrtStream third = nullptr;
  CHECK(ACL(aclrtCreateStream)(&third) == ACL_ERROR_RT_NO_STREAM_RESOURCE);
  CHECK_THAT(RecentError(), Catch::Contains("0 of 3"));
  REQUIRE_ACL(ACL(aclrtDestroyStream)(second));
  REQUIRE_ACL(ACL(aclrtCreateStream)(&third));
  CHECK(ACL(aclrtCreateStreamWithConfig)(&second, 8, 0) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtCreateStreamWithConfig)(&second, 0, 0x4000) == ACL_ERROR_RT_PARAM_INVALID);
}

// What a host function asked of the stream that runs it, and the answers.
struct AskedOfOwnStream {
  aclrtContext context = nullptr;
  aclrtStream stream = nullptr;
  aclError synchronise = ACL_SUCCESS;
  aclError abort = ACL_SUCCESS;
  aclError destroy = ACL_SUCCESS;
};

void AskOwnStream(void* argument) {
  auto* asked = static_cast<AskedOfOwnStream*>(argument);
  ACL(aclrtSetCurrentContext)(asked->context);
  asked->synchronise = ACL(aclrtSynchronizeStream)(asked->stream);
  asked->abort = ACL(aclrtStreamAbort)(asked->stream);
  asked->destroy = ACL(aclrtDestroyStreamForce)(asked->stream);
}

// A host function that waits for its own stream's end would wait for itself: it is refused, and the
// stream goes on.
TEST_CASE("A host function cannot end its own stream") {
  const AclSession session;
  const TestStream stream;
  AskedOfOwnStream asked{.stream = stream.get()};
  REQUIRE_ACL(ACL(aclrtGetCurrentContext)(&asked.context));
  REQUIRE_ACL(ACL(aclrtLaunchHostFunc)(stream.get(), &AskOwnStream, &asked));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(asked.synchronise == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(asked.abort == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(asked.destroy == ACL_ERROR_RT_PARAM_INVALID);
}

}  // namespace
}  // namespace omserve::hostacl
