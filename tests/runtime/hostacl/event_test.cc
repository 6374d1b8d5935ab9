// SPDX-License-Identifier: Apache-2.0
// Events: order between streams, queries of both generations, times.

#include "tests/runtime/hostacl/acl_session.h"

namespace omserve::hostacl {
namespace {

class TestEvent final {
 public:
  enum class Kind { kClassic, kOnDemand };
  explicit TestEvent(Kind kind, uint32_t flags = ACL_EVENT_SYNC | ACL_EVENT_TIME_LINE) {
    if (kind == Kind::kClassic) {
      REQUIRE_ACL(ACL(aclrtCreateEventWithFlag)(&event_, flags));
    } else {
      REQUIRE_ACL(ACL(aclrtCreateEventExWithFlag)(&event_, flags));
    }
  }
  ~TestEvent() { ACL(aclrtDestroyEvent)(event_); }
  TestEvent(const TestEvent&) = delete;
  TestEvent& operator=(const TestEvent&) = delete;
  aclrtEvent get() const { return event_; }

 private:
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

// Before any record a classic event is not complete, and a stream that waits for it waits for the
// record to come.
TEST_CASE("A stream waits for the first record of a classic event") {
  const AclSession session;
  const TestStream waiter;
  const TestStream recorder;
  const TestEvent event(TestEvent::Kind::kClassic);
  CHECK(OldStatus(event) == ACL_EVENT_STATUS_NOT_READY);
  CHECK(Recorded(event) == ACL_EVENT_RECORDED_STATUS_NOT_READY);
  CHECK(ACL(aclrtSynchronizeEvent)(event.get()) == ACL_ERROR_RT_PARAM_INVALID);
  REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(waiter.get(), event.get()));
  aclrtEventWaitStatus waits = ACL_EVENT_WAIT_STATUS_RESERVED;
  REQUIRE_ACL(ACL(aclrtQueryEventWaitStatus)(event.get(), &waits));
  CHECK(waits == ACL_EVENT_WAIT_STATUS_NOT_READY);
  REQUIRE_ACL(ACL(aclrtRecordEvent)(event.get(), recorder.get()));
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(waiter.get()));
  REQUIRE_ACL(ACL(aclrtQueryEventWaitStatus)(event.get(), &waits));
  CHECK(waits == ACL_EVENT_WAIT_STATUS_COMPLETE);
  CHECK(OldStatus(event) == ACL_EVENT_STATUS_COMPLETE);
}

// What the first generation has for its events is refused for the second.
TEST_CASE("On-demand events refuse the classic calls") {
  const AclSession session;
  const TestStream stream;
  const TestEvent event(TestEvent::Kind::kOnDemand);
  aclrtEventStatus old_status = ACL_EVENT_STATUS_RESERVED;
  aclrtEventWaitStatus waits = ACL_EVENT_WAIT_STATUS_RESERVED;
  CHECK(ACL(aclrtQueryEvent)(event.get(), &old_status) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtQueryEventWaitStatus)(event.get(), &waits) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtResetEvent)(event.get(), stream.get()) == ACL_ERROR_RT_PARAM_INVALID);
}

// Without ACL_EVENT_TIME_LINE, without record, or before the record is done there is no time.
TEST_CASE("Times that are not there are refused") {
  const AclSession session;
  const TestStream stream;
  const TestEvent untimed(TestEvent::Kind::kOnDemand, ACL_EVENT_SYNC);
  const TestEvent timed(TestEvent::Kind::kOnDemand);
  uint64_t us = 0;
  float ms = 0;
  CHECK(ACL(aclrtEventGetTimestamp)(timed.get(), &us) == ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID);
  StreamGate gate(stream.get());
  REQUIRE_ACL(ACL(aclrtRecordEvent)(untimed.get(), stream.get()));
  REQUIRE_ACL(ACL(aclrtRecordEvent)(timed.get(), stream.get()));
  CHECK(ACL(aclrtEventGetTimestamp)(timed.get(), &us) == ACL_ERROR_RT_EVENT_NOT_COMPLETE);
  gate.Open();
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(stream.get()));
  CHECK(ACL(aclrtEventElapsedTime)(&ms, untimed.get(), timed.get()) ==
        ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID);
  CHECK(ACL(aclrtEventGetTimestamp)(timed.get(), &us) == ACL_SUCCESS);
}

// Flags that are none, an event without SYNC in a wait, and unknown handles are refused.
TEST_CASE("Events that cannot be used so are refused") {
  const AclSession session;
  const TestStream stream;
  aclrtEvent made = nullptr;
  CHECK(ACL(aclrtCreateEventWithFlag)(&made, 0) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtCreateEventExWithFlag)(&made, 0x1000) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtCreateEvent)(nullptr) == ACL_ERROR_INVALID_PARAM);
  const TestEvent time_only(TestEvent::Kind::kOnDemand, ACL_EVENT_TIME_LINE);
  CHECK(ACL(aclrtStreamWaitEvent)(stream.get(), time_only.get()) == ACL_ERROR_RT_PARAM_INVALID);
  int local = 0;
  CHECK(ACL(aclrtRecordEvent)(&local, stream.get()) == ACL_ERROR_RT_INVALID_HANDLE);
  CHECK(ACL(aclrtRecordEvent)(nullptr, stream.get()) == ACL_ERROR_INVALID_PARAM);
  CHECK(ACL(aclrtDestroyEvent)(&local) == ACL_ERROR_RT_INVALID_HANDLE);
  CHECK(ACL(aclrtSynchronizeEventWithTimeout)(time_only.get(), 0) == ACL_ERROR_RT_PARAM_INVALID);
}

// An event may be destroyed while its record is pending; waits that were asked for are kept.
TEST_CASE("An event may be destroyed before it is complete") {
  const AclSession session;
  const TestStream recorder;
  const TestStream waiter;
  {
    StreamGate gate(recorder.get());
    aclrtEvent event = nullptr;
    REQUIRE_ACL(ACL(aclrtCreateEvent)(&event));
    REQUIRE_ACL(ACL(aclrtRecordEvent)(event, recorder.get()));
    REQUIRE_ACL(ACL(aclrtStreamWaitEvent)(waiter.get(), event));
    REQUIRE_ACL(ACL(aclrtDestroyEvent)(event));
    aclrtStreamStatus status = ACL_STREAM_STATUS_RESERVED;
    REQUIRE_ACL(ACL(aclrtStreamQuery)(waiter.get(), &status));
    CHECK(status == ACL_STREAM_STATUS_NOT_READY);
  }
  REQUIRE_ACL(ACL(aclrtSynchronizeStream)(waiter.get()));
}

// Events with ACL_EVENT_SYNC take a resource of the device; on-demand ones take none.
TEST_CASE("Classic events are limited") {
  const AclSession session(R"({"max_events": 2})");
  const TestEvent first(TestEvent::Kind::kClassic);
  aclrtEvent second = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateEvent)(&second));
  aclrtEvent third = nullptr;
  CHECK(ACL(aclrtCreateEvent)(&third) == ACL_ERROR_RT_NO_EVENT_RESOURCE);
  const TestEvent on_demand(TestEvent::Kind::kOnDemand);
  const TestEvent time_only(TestEvent::Kind::kClassic, ACL_EVENT_TIME_LINE);
  REQUIRE_ACL(ACL(aclrtDestroyEvent)(second));
  REQUIRE_ACL(ACL(aclrtCreateEvent)(&third));
  REQUIRE_ACL(ACL(aclrtDestroyEvent)(third));
}

// Events serve one device: a stream of another cannot record or wait for them.
TEST_CASE("An event of another device is refused") {
  const AclSession session(R"({"device_count": 2, "memory_bytes": 16777216})");
  const TestEvent event(TestEvent::Kind::kOnDemand);
  aclrtContext other = nullptr;
  REQUIRE_ACL(ACL(aclrtCreateContext)(&other, 1));
  CHECK(ACL(aclrtRecordEvent)(event.get(), nullptr) == ACL_ERROR_RT_PARAM_INVALID);
  CHECK(ACL(aclrtStreamWaitEvent)(nullptr, event.get()) == ACL_ERROR_RT_PARAM_INVALID);
}

}  // namespace
}  // namespace omserve::hostacl
