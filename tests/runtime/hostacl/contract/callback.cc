// SPDX-License-Identifier: Apache-2.0
// 1.6: callbacks: which thread runs them, when the stream goes on, and what is refused.
#include "tests/runtime/hostacl/contract/fixture.h"

namespace omserve::hostacl {
namespace {

// This thread subscribed to a stream for the time of a case.
class Subscription final {
 public:
  explicit Subscription(aclrtStream stream) : stream_(stream) {
    REQUIRE_ACL(ACL(aclrtSubscribeReport)(ThisThread(), stream));
  }
  ~Subscription() { ACL(aclrtUnSubscribeReport)(ThisThread(), stream_); }
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

 private:
  aclrtStream stream_;
};

void NoteThread(void* seen) { *static_cast<std::atomic<uint64_t>*>(seen) = ThisThread(); }

// Not when it is launched, and not when its turn has come: in this thread, when this thread asks.
TEST_CASE("A callback runs inside aclrtProcessReport",
          "[rule/callback-inside-process-report][1.6/aclrtSubscribeReport]"
          "[1.6/aclrtLaunchCallback][1.6/aclrtProcessReport]") {
  const AclSession session;
  const TestStream stream;
  const Subscription subscription(stream.get());
  std::atomic<uint64_t> seen{0};
  REQUIRE_ACL(ACL(aclrtLaunchCallback)(&NoteThread, &seen, ACL_CALLBACK_NO_BLOCK, stream.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(seen == 0);
  REQUIRE_ACL(ACL(aclrtProcessReport)(-1));
  CHECK(seen == ThisThread());
}

// Later tasks wait until a blocking callback has returned.
TEST_CASE("A blocking callback holds its stream",
          "[1.6/aclrtLaunchCallback][needs aclrtStreamQuery]") {
  const AclSession session;
  const TestStream stream;
  const Subscription subscription(stream.get());
  const DeviceBytes device(std::vector<uint8_t>(64, 0));
  std::atomic<int> calls{0};
  REQUIRE_ACL(ACL(aclrtLaunchCallback)(&CountUp, &calls, ACL_CALLBACK_BLOCK, stream.get()));
  REQUIRE_ACL(ACL(aclrtMemsetAsync)(device.get(), 64, 7, 64, stream.get()));
  aclrtStreamStatus status = ACL_STREAM_STATUS_RESERVED;
  REQUIRE_ACL(ACL(aclrtStreamQuery)(stream.get(), &status));
  CHECK(status == ACL_STREAM_STATUS_NOT_READY);
  REQUIRE_ACL(ACL(aclrtProcessReport)(1000));
  CHECK(calls == 1);
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(device.Read<uint8_t>()[0] == 7);
}

// Later tasks go on beside a callback that does not block.
TEST_CASE("A callback that does not block lets its stream go on", "[1.6/aclrtLaunchCallback]") {
  const AclSession session;
  const TestStream stream;
  const Subscription subscription(stream.get());
  const DeviceBytes device(std::vector<uint8_t>(64, 0));
  std::atomic<int> calls{0};
  REQUIRE_ACL(ACL(aclrtLaunchCallback)(&CountUp, &calls, ACL_CALLBACK_NO_BLOCK, stream.get()));
  REQUIRE_ACL(ACL(aclrtMemsetAsync)(device.get(), 64, 7, 64, stream.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(device.Read<uint8_t>()[0] == 7);
  REQUIRE_ACL(ACL(aclrtProcessReport)(1000));
  CHECK(calls == 1);
}

TEST_CASE("One thread serves many streams",
          "[rule/one-thread-many-streams][1.6/aclrtProcessReport]") {
  const AclSession session;
  const TestStream first;
  const TestStream second;
  const Subscription of_first(first.get());
  const Subscription of_second(second.get());
  std::atomic<int> calls{0};
  for (int i = 0; i < 3; ++i) {
    REQUIRE_ACL(ACL(aclrtLaunchCallback)(&CountUp, &calls, ACL_CALLBACK_NO_BLOCK, first.get()));
    REQUIRE_ACL(ACL(aclrtLaunchCallback)(&CountUp, &calls, ACL_CALLBACK_NO_BLOCK, second.get()));
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeDevice)());
  REQUIRE_ACL(ACL(aclrtProcessReport)(1000));
  CHECK(calls == 6);
}

// 507012 when nothing came in time, which is normal.
TEST_CASE("Processing reports can expire", "[1.6/aclrtProcessReport]") {
  const AclSession session;
  const TestStream stream;
  const Subscription subscription(stream.get());
  CHECK(ACL(aclrtProcessReport)(1) == ACL_ERROR_RT_REPORT_TIMEOUT);
}

// 107012 in a thread that has not subscribed.
TEST_CASE("A thread without subscription has no reports", "[1.6/aclrtProcessReport]") {
  const AclSession session;
  CHECK(ACL(aclrtProcessReport)(1) == ACL_ERROR_RT_THREAD_SUBSCRIBE);
}

// 107015 on a stream that nobody has subscribed to.
TEST_CASE("A callback needs a subscription", "[1.6/aclrtLaunchCallback]") {
  const AclSession session;
  const TestStream stream;
  std::atomic<int> calls{0};
  CHECK(ACL(aclrtLaunchCallback)(&CountUp, &calls, ACL_CALLBACK_BLOCK, stream.get()) ==
        ACL_ERROR_RT_STREAM_NO_CB_REG);
}

// A stream has one thread: 107011, or 100033 in older releases.
TEST_CASE("A stream is subscribed once", "[1.6/aclrtSubscribeReport]") {
  const AclSession session;
  const TestStream stream;
  const Subscription subscription(stream.get());
  const aclError code = ACL(aclrtSubscribeReport)(ThisThread(), stream.get());
  CHECK((code == ACL_ERROR_RT_STREAM_SUBSCRIBE || code == ACL_ERROR_REPEAT_SUBSCRIBE));
}

TEST_CASE("A thread serves one device", "[1.6/aclrtSubscribeReport][needs two devices]") {
  const AclSession session(kTwoDevices);
  const TestStream stream;
  const Subscription subscription(stream.get());
  aclrtContext const mine = CurrentContext();
  aclrtContext other = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateContext)(&other, 1));
  {
    const TestStream on_other_device;
    CHECK(ACL(aclrtSubscribeReport)(ThisThread(), on_other_device.get()) != ACL_SUCCESS);
  }
  REQUIRE_ACL(ACL(aclrtSetCurrentContext)(mine));
  REQUIRE_ACL(ACL(aclrtDestroyContext)(other));
}

// After it the stream takes no callback, and may be subscribed again.
TEST_CASE("A subscription can be ended", "[1.6/aclrtUnSubscribeReport]") {
  const AclSession session;
  const TestStream stream;
  REQUIRE_ACL(ACL(aclrtSubscribeReport)(ThisThread(), stream.get()));
  CHECK(ACL(aclrtUnSubscribeReport)(ThisThread(), stream.get()) == ACL_SUCCESS);
  std::atomic<int> calls{0};
  CHECK(ACL(aclrtLaunchCallback)(&CountUp, &calls, ACL_CALLBACK_BLOCK, stream.get()) ==
        ACL_ERROR_RT_STREAM_NO_CB_REG);
  const Subscription again(stream.get());
  SUCCEED("subscribed again");
}

TEST_CASE("Null callbacks are refused", "[1.6/aclrtLaunchCallback]") {
  const AclSession session;
  const TestStream stream;
  const Subscription subscription(stream.get());
  CHECK(ACL(aclrtLaunchCallback)(nullptr, nullptr, ACL_CALLBACK_BLOCK, stream.get()) ==
        ACL_ERROR_INVALID_PARAM);
}

// In a thread of the library, after what stands before it; what stands after it waits.
TEST_CASE("A host function runs in its turn", "[1.6/aclrtLaunchHostFunc]") {
  const AclSession session;
  const TestStream stream;
  struct Turn {
    PinnedBytes before{8};
    std::atomic<uint64_t> thread{0};
    std::atomic<uint8_t> seen_before{0};
  };
  Turn turn;
  const DeviceBytes device(std::vector<uint8_t>(8, 5));
  const PinnedBytes after(8);
  const auto run = [](void* argument) {
    auto* self = static_cast<Turn*>(argument);
    self->seen_before = self->before.bytes()[0];
    self->thread = ThisThread();
  };
  REQUIRE_ACL(ACL(aclrtMemcpyAsync)(turn.before.get(), 8, device.get(), 8,
                                    ACL_MEMCPY_DEVICE_TO_HOST, stream.get()));
  REQUIRE_ACL(ACL(aclrtLaunchHostFunc)(stream.get(), run, &turn));
  REQUIRE_ACL(ACL(aclrtMemcpyAsync)(after.get(), 8, device.get(), 8, ACL_MEMCPY_DEVICE_TO_HOST,
                                    stream.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(turn.seen_before == 5);
  CHECK(turn.thread != 0);
  CHECK(turn.thread != ThisThread());
  CHECK(after.bytes()[0] == 5);
}

TEST_CASE("A host function holds its stream", "[1.6/aclrtLaunchHostFunc][needs aclrtStreamQuery]") {
  const AclSession session;
  const TestStream stream;
  const DeviceBytes device(std::vector<uint8_t>(8, 0));
  {
    const StreamGate gate(stream.get());
    REQUIRE_ACL(ACL(aclrtMemsetAsync)(device.get(), 8, 7, 8, stream.get()));
    aclrtStreamStatus status = ACL_STREAM_STATUS_RESERVED;
    REQUIRE_ACL(ACL(aclrtStreamQuery)(stream.get(), &status));
    CHECK(status == ACL_STREAM_STATUS_NOT_READY);
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(device.Read<uint8_t>()[0] == 7);
}

}  // namespace
}  // namespace omserve::hostacl
