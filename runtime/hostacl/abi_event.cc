// SPDX-License-Identifier: Apache-2.0
// The C interface: events.
#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/runtime.h"
#include "runtime/hostacl/timeouts.h"

namespace omserve::hostacl {
namespace {

absl::StatusOr<std::shared_ptr<Event>> FindEvent(const Here& here, aclrtEvent handle) {
  if (handle == nullptr) {
    return Fail(ACL_ERROR_INVALID_PARAM, "the event is null");
  }
  std::shared_ptr<Event> event = here.runtime->events().Find(handle);
  if (event == nullptr) {
    return Fail(ACL_ERROR_RT_INVALID_HANDLE, "event {}: there is no such event; was it destroyed?",
                fmt::ptr(handle));
  }
  return event;
}

absl::StatusOr<std::shared_ptr<Event>> FindEvent(aclrtEvent handle) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  return FindEvent(here, handle);
}

// Queries of the first generation, which only classic events answer.
absl::StatusOr<std::shared_ptr<Event>> FindClassicEvent(aclrtEvent handle, const char* function) {
  ASSIGN_OR_RETURN(std::shared_ptr<Event> event, FindEvent(handle));
  if (event->on_demand()) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "{}: not for events of aclrtCreateEventExWithFlag; use aclrtQueryEventStatus",
                function);
  }
  return event;
}

absl::Status CreateEvent(aclrtEvent* event, uint32_t flags, bool on_demand) {
  if (event == nullptr) {
    return NullOutput("aclrtCreateEvent");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(std::shared_ptr<Event> made,
                   Event::Create({here.context->device, flags, on_demand, here.runtime->order()}));
  *event = here.runtime->events().Add(std::move(made));
  return absl::OkStatus();
}

absl::Status DestroyEvent(aclrtEvent handle) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  RETURN_IF_ERROR(FindEvent(here, handle).status());
  // Tasks that use it keep it until they are done.
  here.runtime->events().Remove(handle);
  return absl::OkStatus();
}

absl::Status RecordEvent(aclrtEvent handle, aclrtStream stream_handle) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Event> event, FindEvent(here, handle));
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, stream_handle));
  return event->Record(*stream);
}

absl::Status ResetEvent(aclrtEvent handle, aclrtStream stream_handle) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Event> event, FindEvent(here, handle));
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, stream_handle));
  return event->Reset(*stream);
}

absl::Status StreamWait(aclrtStream stream_handle, aclrtEvent handle, Clock::duration timeout) {
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Event> event, FindEvent(here, handle));
  ASSIGN_OR_RETURN(const std::shared_ptr<Stream> stream,
                   here.runtime->FindStream(*here.context, stream_handle));
  return Event::MakeWait(event, *stream, timeout);
}

absl::Status StreamWaitWithTimeout(aclrtStream stream_handle, aclrtEvent handle, int32_t seconds) {
  if (seconds < 0) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "aclrtStreamWaitEventWithTimeout: timeout of {} s; expected 0 (for ever) or more",
                seconds);
  }
  return StreamWait(
      stream_handle, handle,
      seconds == 0 ? Clock::duration::max() : Clock::duration(std::chrono::seconds(seconds)));
}

absl::Status QueryEvent(aclrtEvent handle, aclrtEventStatus* status) {
  if (status == nullptr) {
    return NullOutput("aclrtQueryEvent");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Event> event, FindClassicEvent(handle, "aclrtQueryEvent"));
  *status = event->complete() ? ACL_EVENT_STATUS_COMPLETE : ACL_EVENT_STATUS_NOT_READY;
  return absl::OkStatus();
}

absl::Status QueryEventStatus(aclrtEvent handle, aclrtEventRecordedStatus* status) {
  if (status == nullptr) {
    return NullOutput("aclrtQueryEventStatus");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Event> event, FindEvent(handle));
  *status =
      event->complete() ? ACL_EVENT_RECORDED_STATUS_COMPLETE : ACL_EVENT_RECORDED_STATUS_NOT_READY;
  return absl::OkStatus();
}

absl::Status QueryWaitStatus(aclrtEvent handle, aclrtEventWaitStatus* status) {
  if (status == nullptr) {
    return NullOutput("aclrtQueryEventWaitStatus");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Event> event,
                   FindClassicEvent(handle, "aclrtQueryEventWaitStatus"));
  *status = event->waits_done() ? ACL_EVENT_WAIT_STATUS_COMPLETE : ACL_EVENT_WAIT_STATUS_NOT_READY;
  return absl::OkStatus();
}

absl::Status SynchronizeEvent(aclrtEvent handle, int32_t timeout_ms) {
  ASSIGN_OR_RETURN(const std::shared_ptr<Event> event, FindEvent(handle));
  ASSIGN_OR_RETURN(const Clock::time_point deadline, DeadlineAfterMs(timeout_ms));
  return event->Synchronize(deadline);
}

absl::Status ElapsedTime(float* ms, aclrtEvent start_handle, aclrtEvent end_handle) {
  if (ms == nullptr) {
    return NullOutput("aclrtEventElapsedTime");
  }
  ASSIGN_OR_RETURN(const Here here, CurrentPlace());
  ASSIGN_OR_RETURN(const std::shared_ptr<Event> start, FindEvent(here, start_handle));
  ASSIGN_OR_RETURN(const std::shared_ptr<Event> end, FindEvent(here, end_handle));
  ASSIGN_OR_RETURN(const Clock::time_point from, start->Timestamp());
  ASSIGN_OR_RETURN(const Clock::time_point to, end->Timestamp());
  if (to < from) {
    return Fail(ACL_ERROR_RT_EVENT_TIMESTAMP_REVERSAL,
                "aclrtEventElapsedTime: the end event was reached {} us before the start event",
                std::chrono::duration_cast<std::chrono::microseconds>(from - to).count());
  }
  *ms = std::chrono::duration<float, std::milli>(to - from).count();
  return absl::OkStatus();
}

absl::Status GetTimestamp(aclrtEvent handle, uint64_t* timestamp_us) {
  if (timestamp_us == nullptr) {
    return NullOutput("aclrtEventGetTimestamp");
  }
  ASSIGN_OR_RETURN(const std::shared_ptr<Event> event, FindEvent(handle));
  ASSIGN_OR_RETURN(const Clock::time_point at, event->Timestamp());
  *timestamp_us = static_cast<uint64_t>(
      std::chrono::duration_cast<std::chrono::microseconds>(at - event->device()->started_at())
          .count());
  return absl::OkStatus();
}

}  // namespace
}  // namespace omserve::hostacl

using omserve::hostacl::Enter;

aclError aclrtCreateEvent(aclrtEvent* event) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::CreateEvent(event, ACL_EVENT_TIME_LINE | ACL_EVENT_SYNC,
                                         /*on_demand=*/false);
  });
}

aclError aclrtCreateEventWithFlag(aclrtEvent* event, uint32_t flag) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::CreateEvent(event, flag, /*on_demand=*/false); });
}

aclError aclrtCreateEventExWithFlag(aclrtEvent* event, uint32_t flag) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::CreateEvent(event, flag, /*on_demand=*/true); });
}

aclError aclrtDestroyEvent(aclrtEvent event) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::DestroyEvent(event); });
}

aclError aclrtRecordEvent(aclrtEvent event, aclrtStream stream) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::RecordEvent(event, stream); });
}

aclError aclrtResetEvent(aclrtEvent event, aclrtStream stream) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::ResetEvent(event, stream); });
}

aclError aclrtStreamWaitEvent(aclrtStream stream, aclrtEvent event) noexcept {
  return Enter(__func__, [&] {
    return omserve::hostacl::StreamWait(stream, event, omserve::hostacl::EventWaitTimeout());
  });
}

aclError aclrtStreamWaitEventWithTimeout(aclrtStream stream, aclrtEvent event,
                                         int32_t timeout) noexcept {
  return Enter(__func__,
               [&] { return omserve::hostacl::StreamWaitWithTimeout(stream, event, timeout); });
}

aclError aclrtQueryEvent(aclrtEvent event, aclrtEventStatus* status) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::QueryEvent(event, status); });
}

aclError aclrtQueryEventStatus(aclrtEvent event, aclrtEventRecordedStatus* status) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::QueryEventStatus(event, status); });
}

aclError aclrtQueryEventWaitStatus(aclrtEvent event, aclrtEventWaitStatus* status) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::QueryWaitStatus(event, status); });
}

aclError aclrtSynchronizeEvent(aclrtEvent event) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::SynchronizeEvent(event, -1); });
}

aclError aclrtSynchronizeEventWithTimeout(aclrtEvent event, int32_t timeout) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::SynchronizeEvent(event, timeout); });
}

aclError aclrtEventElapsedTime(float* ms, aclrtEvent startEvent, aclrtEvent endEvent) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::ElapsedTime(ms, startEvent, endEvent); });
}

aclError aclrtEventGetTimestamp(aclrtEvent event, uint64_t* timestamp) noexcept {
  return Enter(__func__, [&] { return omserve::hostacl::GetTimestamp(event, timestamp); });
}

aclError aclrtSetOpExecuteTimeOut(uint32_t /*timeout*/) noexcept {
  // No operator of this device gets stuck where a chip's does, so that there is nothing to cut.
  return Enter(__func__, [&] { return omserve::hostacl::CurrentRuntime().status(); });
}

aclError aclrtSetOpWaitTimeout(uint32_t timeout) noexcept {
  return Enter(__func__, [&]() -> absl::Status {
    RETURN_IF_ERROR(omserve::hostacl::CurrentRuntime().status());
    omserve::hostacl::SetEventWaitTimeout(timeout);
    return absl::OkStatus();
  });
}
