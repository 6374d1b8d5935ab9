// SPDX-License-Identifier: Apache-2.0
// 1.5: events: order between streams, queries of both generations, times.
#include <optional>

#include "tests/runtime/hostacl/contract/fixture.h"

namespace omserve::hostacl {
namespace {

constexpr uint32_t kAllUses = ACL_EVENT_SYNC | ACL_EVENT_TIME_LINE;

// An event for the time of a case, made by one of the three functions.
class TestEvent final {
 public:
  static TestEvent Plain() {
    TestEvent made;
    REQUIRE_ACL(ACL(aclrtCreateEvent)(&made.event_));
    return made;
  }
  static TestEvent Classic(uint32_t flags = kAllUses) {
    TestEvent made;
    REQUIRE_ACL(ACL(aclrtCreateEventWithFlag)(&made.event_, flags));
    return made;
  }
  static TestEvent OnDemand(uint32_t flags = kAllUses) {
    TestEvent made;
    REQUIRE_ACL(ACL(aclrtCreateEventExWithFlag)(&made.event_, flags));
    return made;
  }
  ~TestEvent() {
    if (event_ != nullptr) {
      ACL(aclrtDestroyEvent)(event_);
    }
  }
  TestEvent(TestEvent&& other) noexcept : event_(std::exchange(other.event_, nullptr)) {}
  TestEvent& operator=(TestEvent&&) = delete;
  aclrtEvent get() const { return event_; }

 private:
  TestEvent() = default;
  aclrtEvent event_ = nullptr;
};

aclrtEventRecordedStatus Recorded(const TestEvent& event) {
  aclrtEventRecordedStatus status = ACL_EVENT_RECORDED_STATUS_NOT_READY;
  REQUIRE_ACL(ACL(aclrtQueryEventStatus)(event.get(), &status));
  return status;
}

aclrtEventStatus OldStatus(const TestEvent& event) {
  aclrtEventStatus status = ACL_EVENT_STATUS_RESERVED;
  REQUIRE_ACL(ACL(aclrtQueryEvent)(event.get(), &status));
  return status;
}

// The reader's copy comes after the writer's fill, which is held until the reader waits.
void CheckOrder(const TestEvent& event) {
  const TestStream writer;
  const TestStream reader;
  const DeviceBytes source(std::vector<uint8_t>(256, 0));
  const DeviceBytes target(std::vector<uint8_t>(256, 0));
  {
    const StreamGate gate(writer.get());
    REQUIRE_ACL(ACL(aclrtMemsetAsync)(source.get(), 256, 42, 256, writer.get()));
    REQUIRE_ACL(ACL(aclrtRecordEvent)(event.get(), writer.get()));
    REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(reader.get(), event.get()));
    REQUIRE_ACL(ACL(aclrtMemcpyAsync)(target.get(), 256, source.get(), 256,
                                      ACL_MEMCPY_DEVICE_TO_DEVICE, reader.get()));
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(reader.get()));
  CHECK(target.Read<uint8_t>() == std::vector<uint8_t>(256, 42));
}

TEST_CASE("A plain event orders two streams",
          "[1.5/aclrtCreateEvent][1.5/aclrtRecordEvent][1.4/aclrtStreamWaitEvent]") {
  const AclSession session;
  CheckOrder(TestEvent::Plain());
}

TEST_CASE("An event made with flags orders two streams",
          "[1.5/aclrtCreateEventWithFlag][1.5/aclrtRecordEvent][1.4/aclrtStreamWaitEvent]") {
  const AclSession session;
  CheckOrder(TestEvent::Classic(ACL_EVENT_SYNC));
}

// Again and again: each record overwrites the one before.
TEST_CASE("An on-demand event orders two streams every time",
          "[1.5/aclrtCreateEventExWithFlag][1.5/aclrtRecordEvent][1.4/aclrtStreamWaitEvent]") {
  const AclSession session;
  const TestEvent event = TestEvent::OnDemand(ACL_EVENT_SYNC);
  for (int round = 0; round < 3; ++round) {
    CheckOrder(event);
  }
}

// A record that comes later does not delay a wait that was asked for earlier.
TEST_CASE("A wait keeps the record that it saw",
          "[rule/wait-keeps-its-record][1.5/aclrtCreateEventExWithFlag]"
          "[needs aclrtQueryEventStatus][needs aclrtStreamQuery]") {
  const AclSession session;
  const TestStream first;
  const TestStream second;
  const TestStream waiter;
  const TestStream later_waiter;
  const TestEvent event = TestEvent::OnDemand();
  StreamGate gate(second.get());
  REQUIRE_ACL(ACL(aclrtRecordEvent)(event.get(), first.get()));
  REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(waiter.get(), event.get()));
  REQUIRE_ACL(ACL(aclrtRecordEvent)(event.get(), second.get()));
  REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(later_waiter.get(), event.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(waiter.get()));
  CHECK(Recorded(event) == ACL_EVENT_RECORDED_STATUS_NOT_READY);
  aclrtStreamStatus status = ACL_STREAM_STATUS_RESERVED;
  REQUIRE_ACL(ACL(aclrtStreamQuery)(later_waiter.get(), &status));
  CHECK(status == ACL_STREAM_STATUS_NOT_READY);
  gate.Open();
  REQUIRE_ACL(ACL(aclrtSynchronizeEvent)(event.get()));
  CHECK(Recorded(event) == ACL_EVENT_RECORDED_STATUS_COMPLETE);
  CHECK(ACL(aclrtSynchronizeStream)(later_waiter.get()) == ACL_SUCCESS);
}

TEST_CASE("An on-demand event is complete before any record",
          "[rule/on-demand-event-begins-complete][1.5/aclrtCreateEventExWithFlag]"
          "[1.5/aclrtQueryEventStatus]") {
  const AclSession session;
  const TestStream stream;
  const TestEvent event = TestEvent::OnDemand();
  CHECK(Recorded(event) == ACL_EVENT_RECORDED_STATUS_COMPLETE);
  REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(stream.get(), event.get()));
  CHECK(ACL(aclrtSynchronizeStream)(stream.get()) == ACL_SUCCESS);
  CHECK(ACL(aclrtSynchronizeEvent)(event.get()) == ACL_SUCCESS);
}

// The stream waits for the record to come.
TEST_CASE("A stream waits for the first record of a classic event",
          "[1.4/aclrtStreamWaitEvent][1.5/aclrtCreateEvent][needs aclrtStreamQuery]") {
  const AclSession session;
  const TestStream waiter;
  const TestStream recorder;
  const TestEvent event = TestEvent::Plain();
  REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(waiter.get(), event.get()));
  aclrtStreamStatus status = ACL_STREAM_STATUS_RESERVED;
  REQUIRE_ACL(ACL(aclrtStreamQuery)(waiter.get(), &status));
  CHECK(status == ACL_STREAM_STATUS_NOT_READY);
  REQUIRE_ACL(ACL(aclrtRecordEvent)(event.get(), recorder.get()));
  CHECK(ACL(aclrtSynchronizeStream)(waiter.get()) == ACL_SUCCESS);
}

// The old question and the new one agree, in opposite numbers.
TEST_CASE("The two queries of an event have opposite numbers",
          "[rule/old-and-new-status][1.5/aclrtQueryEvent][1.5/aclrtQueryEventStatus]") {
  const AclSession session;
  const TestStream stream;
  const TestEvent event = TestEvent::Plain();
  {
    const StreamGate gate(stream.get());
    REQUIRE_ACL(ACL(aclrtRecordEvent)(event.get(), stream.get()));
    CHECK(static_cast<int>(OldStatus(event)) == 1);
    CHECK(static_cast<int>(Recorded(event)) == 0);
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(static_cast<int>(OldStatus(event)) == 0);
  CHECK(static_cast<int>(Recorded(event)) == 1);
}

TEST_CASE("An event can be asked for its state", "[1.5/aclrtQueryEvent]") {
  const AclSession session;
  const TestStream stream;
  const TestEvent event = TestEvent::Plain();
  {
    const StreamGate gate(stream.get());
    REQUIRE_ACL(ACL(aclrtRecordEvent)(event.get(), stream.get()));
    CHECK(OldStatus(event) == ACL_EVENT_STATUS_NOT_READY);
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(OldStatus(event) == ACL_EVENT_STATUS_COMPLETE);
}

// Whether the waits on the event are done, not whether it is.
TEST_CASE("The waits on an event can be asked for", "[1.5/aclrtQueryEventWaitStatus]") {
  const AclSession session;
  const TestStream waiter;
  const TestStream recorder;
  const TestEvent event = TestEvent::Plain();
  aclrtEventWaitStatus waits = ACL_EVENT_WAIT_STATUS_RESERVED;
  {
    const StreamGate gate(recorder.get());
    REQUIRE_ACL(ACL(aclrtRecordEvent)(event.get(), recorder.get()));
    REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(waiter.get(), event.get()));
    REQUIRE_ACL(ACL(aclrtQueryEventWaitStatus)(event.get(), &waits));
    CHECK(waits == ACL_EVENT_WAIT_STATUS_NOT_READY);
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(waiter.get()));
  REQUIRE_ACL(ACL(aclrtQueryEventWaitStatus)(event.get(), &waits));
  CHECK(waits == ACL_EVENT_WAIT_STATUS_COMPLETE);
}

// After the reset it is as if never recorded.
TEST_CASE("A classic event is reset and recorded again", "[1.5/aclrtResetEvent]") {
  const AclSession session;
  const TestStream waiter;
  const TestStream recorder;
  const TestEvent event = TestEvent::Plain();
  for (int round = 0; round < 3; ++round) {
    REQUIRE_ACL(ACL(aclrtRecordEvent)(event.get(), recorder.get()));
    REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(waiter.get(), event.get()));
    REQUIRE_ACL(ACL(aclrtResetEvent)(event.get(), waiter.get()));
    REQUIRE_ACL(ACL(aclrtSynchronizeStream)(waiter.get()));
    CHECK(OldStatus(event) == ACL_EVENT_STATUS_NOT_READY);
  }
  REQUIRE_ACL(ACL(aclrtRecordEvent)(event.get(), recorder.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeEvent)(event.get()));
  CHECK(OldStatus(event) == ACL_EVENT_STATUS_COMPLETE);
}

// What the first generation has for its events is no use for the second.
TEST_CASE("On-demand events refuse the classic calls",
          "[1.5/aclrtCreateEventExWithFlag][1.5/aclrtResetEvent][1.5/aclrtQueryEvent]"
          "[1.5/aclrtQueryEventWaitStatus]") {
  const AclSession session;
  const TestStream stream;
  const TestEvent event = TestEvent::OnDemand();
  aclrtEventStatus old_status = ACL_EVENT_STATUS_RESERVED;
  aclrtEventWaitStatus waits = ACL_EVENT_WAIT_STATUS_RESERVED;
  CHECK(ACL(aclrtQueryEvent)(event.get(), &old_status) != ACL_SUCCESS);
  CHECK(ACL(aclrtQueryEventWaitStatus)(event.get(), &waits) != ACL_SUCCESS);
  CHECK(ACL(aclrtResetEvent)(event.get(), stream.get()) != ACL_SUCCESS);
}

TEST_CASE("Synchronising an event waits for its record", "[1.5/aclrtSynchronizeEvent]") {
  const AclSession session;
  const TestStream stream;
  const TestEvent event = TestEvent::Plain();
  const DeviceBytes device(std::vector<uint8_t>(64, 0));
  const PinnedBytes target(64);
  REQUIRE_ACL(ACL(aclrtMemsetAsync)(device.get(), 64, 9, 64, stream.get()));
  REQUIRE_ACL(ACL(aclrtMemcpyAsync)(target.get(), 64, device.get(), 64, ACL_MEMCPY_DEVICE_TO_HOST,
                                    stream.get()));
  REQUIRE_ACL(ACL(aclrtRecordEvent)(event.get(), stream.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeEvent)(event.get()));
  CHECK(target.bytes()[63] == 9);
}

// 507047 after the milliseconds.
TEST_CASE("Synchronising an event can expire", "[1.5/aclrtSynchronizeEventWithTimeout]") {
  const AclSession session;
  const TestStream stream;
  const TestEvent event = TestEvent::Plain();
  {
    const StreamGate gate(stream.get());
    REQUIRE_ACL(ACL(aclrtRecordEvent)(event.get(), stream.get()));
    CHECK(ACL(aclrtSynchronizeEventWithTimeout)(event.get(), 1) == ACL_ERROR_RT_EVENT_SYNC_TIMEOUT);
  }
  CHECK(ACL(aclrtSynchronizeEventWithTimeout)(event.get(), -1) == ACL_SUCCESS);
}

// Milliseconds between two records on one stream; the wrong way round is 107007.
TEST_CASE("Time passes between two records", "[1.5/aclrtEventElapsedTime]") {
  const AclSession session;
  const TestStream stream;
  const TestEvent start = TestEvent::Plain();
  const TestEvent end = TestEvent::Plain();
  const DeviceBytes device(size_t{1} << 20);
  REQUIRE_ACL(ACL(aclrtRecordEvent)(start.get(), stream.get()));
  REQUIRE_ACL(
      ACL(aclrtMemsetAsync)(device.get(), size_t{1} << 20, 1, size_t{1} << 20, stream.get()));
  REQUIRE_ACL(ACL(aclrtRecordEvent)(end.get(), stream.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  float ms = -1;
  REQUIRE_ACL(ACL(aclrtEventElapsedTime)(&ms, start.get(), end.get()));
  CHECK(ms > 0);
  CHECK(ms < 10000);
  CHECK(ACL(aclrtEventElapsedTime)(&ms, end.get(), start.get()) ==
        ACL_ERROR_RT_EVENT_TIMESTAMP_REVERSAL);
  CHECK(ACL(aclrtEventElapsedTime)(nullptr, start.get(), end.get()) == ACL_ERROR_INVALID_PARAM);
}

// 107006 without ACL_EVENT_TIME_LINE.
TEST_CASE("An event without time line has no time",
          "[1.5/aclrtEventElapsedTime][1.5/aclrtCreateEventWithFlag]") {
  const AclSession session;
  const TestStream stream;
  const TestEvent start = TestEvent::Classic(ACL_EVENT_SYNC);
  const TestEvent end = TestEvent::Classic(ACL_EVENT_SYNC);
  REQUIRE_ACL(ACL(aclrtRecordEvent)(start.get(), stream.get()));
  REQUIRE_ACL(ACL(aclrtRecordEvent)(end.get(), stream.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  float ms = 0;
  CHECK(ACL(aclrtEventElapsedTime)(&ms, start.get(), end.get()) ==
        ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID);
}

// Microseconds of the device's clock, which elapsed milliseconds agree with.
TEST_CASE("Timestamps are microseconds of one clock", "[1.5/aclrtEventGetTimestamp]") {
  const AclSession session;
  const TestStream stream;
  const TestEvent start = TestEvent::Classic();
  const TestEvent end = TestEvent::Classic();
  const DeviceBytes device(size_t{1} << 20);
  REQUIRE_ACL(ACL(aclrtRecordEvent)(start.get(), stream.get()));
  REQUIRE_ACL(
      ACL(aclrtMemsetAsync)(device.get(), size_t{1} << 20, 1, size_t{1} << 20, stream.get()));
  REQUIRE_ACL(ACL(aclrtRecordEvent)(end.get(), stream.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  uint64_t start_us = 0;
  uint64_t end_us = 0;
  float ms = 0;
  REQUIRE_ACL(ACL(aclrtEventGetTimestamp)(start.get(), &start_us));
  REQUIRE_ACL(ACL(aclrtEventGetTimestamp)(end.get(), &end_us));
  REQUIRE_ACL(ACL(aclrtEventElapsedTime)(&ms, start.get(), end.get()));
  CHECK(end_us >= start_us);
  CHECK(static_cast<double>(end_us - start_us) == Approx(ms * 1000.0).margin(2));
}

// The record and the waits that were asked for are kept.
TEST_CASE("An event can be destroyed before it is complete", "[1.5/aclrtDestroyEvent]") {
  const AclSession session;
  const TestStream recorder;
  {
    const StreamGate gate(recorder.get());
    aclrtEvent event = nullptr;
    REQUIRE_ACL(ACL(aclrtCreateEvent)(&event));
    REQUIRE_ACL(ACL(aclrtRecordEvent)(event, recorder.get()));
    CHECK(ACL(aclrtDestroyEvent)(event) == ACL_SUCCESS);
  }
  CHECK(ACL(aclrtSynchronizeStream)(recorder.get()) == ACL_SUCCESS);
}

TEST_CASE("Null events and null outputs are refused",
          "[1.5/aclrtCreateEvent][1.5/aclrtCreateEventWithFlag][1.5/aclrtDestroyEvent]"
          "[1.5/aclrtRecordEvent][1.5/aclrtSynchronizeEvent]") {
  const AclSession session;
  CHECK(ACL(aclrtCreateEvent)(nullptr) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtCreateEventWithFlag)(nullptr, ACL_EVENT_SYNC) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtDestroyEvent)(nullptr) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtRecordEvent)(nullptr, nullptr) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtSynchronizeEvent)(nullptr) == ACL_ERROR_INVALID_PARAM);
}

// Events with ACL_EVENT_SYNC take one of the device's; on-demand ones take none when made.
TEST_CASE("Classic events run out and on-demand ones do not",
          "[1.5/aclrtCreateEvent][1.5/aclrtCreateEventExWithFlag][needs hostacl]") {
  const AclSession session(R"({"max_events": 2})");
  const TestEvent first = TestEvent::Plain();
  std::optional<TestEvent> second = TestEvent::Plain();
  aclrtEvent third = nullptr;
  CHECK(ACL(aclrtCreateEvent)(&third) != ACL_SUCCESS);
  const TestEvent on_demand = TestEvent::OnDemand();
  const TestEvent time_only = TestEvent::Classic(ACL_EVENT_TIME_LINE);
  second.reset();
  REQUIRE_ACL(ACL(aclrtCreateEvent)(&third));
  REQUIRE_ACL(ACL(aclrtDestroyEvent)(third));
}

TEST_CASE("An event of another device is refused",
          "[1.5/aclrtRecordEvent][needs two devices][needs hostacl]") {
  const AclSession session(kTwoDevices);
  const TestEvent event = TestEvent::Plain();
  aclrtContext const mine = CurrentContext();
  aclrtContext other = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateContext)(&other, 1));
  CHECK(ACL(aclrtRecordEvent)(event.get(), nullptr) != ACL_SUCCESS);
  REQUIRE_ACL(ACL(aclrtSetCurrentContext)(mine));
  REQUIRE_ACL(ACL(aclrtDestroyContext)(other));
}

// A wait that counts seconds is still waiting when milliseconds have long passed.
TEST_CASE("A wait with a timeout counts seconds",
          "[1.4/aclrtStreamWaitEventWithTimeout][rule/seconds-and-milliseconds]"
          "[needs aclrtSynchronizeStreamWithTimeout]") {
  const AclSession session;
  const TestStream waiter;
  const TestStream recorder;
  const TestEvent event = TestEvent::Plain();
  {
    const StreamGate gate(recorder.get());
    REQUIRE_ACL(ACL(aclrtRecordEvent)(event.get(), recorder.get()));
    REQUIRE_ACL(ACL(aclrtStreamWaitEventWithTimeout)(waiter.get(), event.get(), 20));
    CHECK(ACL(aclrtSynchronizeStreamWithTimeout)(waiter.get(), 60) ==
          ACL_ERROR_RT_STREAM_SYNC_TIMEOUT);
  }
  CHECK(ACL(aclrtSynchronizeStream)(waiter.get()) == ACL_SUCCESS);
}

// 0 is for ever.
TEST_CASE("A wait with a timeout of 0 waits", "[1.4/aclrtStreamWaitEventWithTimeout]") {
  const AclSession session;
  const TestStream waiter;
  const TestStream recorder;
  const TestEvent event = TestEvent::Plain();
  REQUIRE_ACL(ACL(aclrtRecordEvent)(event.get(), recorder.get()));
  REQUIRE_ACL(ACL(aclrtStreamWaitEventWithTimeout)(waiter.get(), event.get(), 0));
  CHECK(ACL(aclrtSynchronizeStream)(waiter.get()) == ACL_SUCCESS);
}

// A wait that expires is a failed task of its stream.
TEST_CASE("A wait that expires fails its stream",
          "[1.4/aclrtStreamWaitEventWithTimeout][needs hostacl]") {
  const AclSession session;
  const TestStream waiter;
  const TestEvent event = TestEvent::Plain();
  REQUIRE_ACL(ACL(aclrtStreamWaitEventWithTimeout)(waiter.get(), event.get(), 1));
  CHECK(ACL(aclrtSynchronizeStream)(waiter.get()) != ACL_SUCCESS);
}

// Seconds for all later waits of the process; 0 is the default, for ever.
TEST_CASE("The timeout of later waits can be set", "[1.5/aclrtSetOpWaitTimeout]") {
  const AclSession session;
  CHECK(ACL(aclrtSetOpWaitTimeout)(20) == ACL_SUCCESS);
  {
    const TestStream waiter;
    const TestStream recorder;
    const TestEvent event = TestEvent::Plain();
    REQUIRE_ACL(ACL(aclrtRecordEvent)(event.get(), recorder.get()));
    REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(waiter.get(), event.get()));
    CHECK(ACL(aclrtSynchronizeStream)(waiter.get()) == ACL_SUCCESS);
  }
  CHECK(ACL(aclrtSetOpWaitTimeout)(0) == ACL_SUCCESS);
}

TEST_CASE("The timeout of operators can be set", "[1.5/aclrtSetOpExecuteTimeOut]") {
  const AclSession session;
  CHECK(ACL(aclrtSetOpExecuteTimeOut)(600) == ACL_SUCCESS);
}

}  // namespace
}  // namespace omserve::hostacl
