// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/event.h"

#include <utility>

#include "runtime/hostacl/acl_status.h"

namespace omserve::hostacl {
namespace {

constexpr uint32_t kKnownFlags = ACL_EVENT_SYNC | ACL_EVENT_CAPTURE_STREAM_PROGRESS |
                                 ACL_EVENT_TIME_LINE | ACL_EVENT_DEVICE_USE_ONLY |
                                 ACL_EVENT_EXTERNAL | ACL_EVENT_IPC;

}  // namespace

absl::StatusOr<std::shared_ptr<Event>> Event::Create(Options options) {
  if (options.flags == 0 || (options.flags & ~kKnownFlags) != 0) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID, "event: flags {:#x} are not a combination of {:#x}",
                options.flags, kKnownFlags);
  }
  const bool holds_resource = !options.on_demand && (options.flags & ACL_EVENT_SYNC) != 0;
  if (holds_resource && !options.device->events().Take(1)) {
    return Fail(ACL_ERROR_RT_NO_EVENT_RESOURCE,
                "device {}: all {} events with ACL_EVENT_SYNC are taken; destroy some, or use "
                "aclrtCreateEventExWithFlag",
                options.device->index(), options.device->events().limit());
  }
  std::shared_ptr<Event> event(new Event(std::move(options)));  // NOLINT: private constructor.
  event->holds_resource_ = holds_resource;
  return event;
}

Event::~Event() {
  if (holds_resource_) {
    options_.device->events().Return(1);
  }
}

absl::Status Event::CheckStream(const Stream& stream, const char* what) const {
  if (stream.device()->index() != options_.device->index()) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "event {}: the event is of device {}, stream {} of device {}; events serve one "
                "device",
                what, options_.device->index(), stream.id(), stream.device()->index());
  }
  return absl::OkStatus();
}

absl::Status Event::Record(Stream& stream) {
  RETURN_IF_ERROR(CheckStream(stream, "record"));
  // The lock is held over Enqueue, which never blocks: of two racing records the one that is newest
  // here is then also the later one in a common stream.
  const MutexLock lock(mu_);
  if (recorded_) {
    newest_ = Milestone::Make();
  }
  recorded_ = true;
  OrderChecker* const order = stream.order();
  return stream.Enqueue({.type = TaskType::kRecord},
                        [reached = ReachAtEnd(newest_), order, actor = stream.actor()](Interrupt&) {
                          // Apart from that the task has nothing to do but to end.
                          if (order != nullptr) {
                            (*reached).SetKnown(order->StreamClock(actor));
                          }
                          return absl::OkStatus();
                        });
}

absl::Status Event::MakeWait(const std::shared_ptr<Event>& event, Stream& stream,
                             Clock::duration timeout) {
  RETURN_IF_ERROR(event->CheckStream(stream, "wait"));
  if ((event->options_.flags & ACL_EVENT_SYNC) == 0) {
    return Fail(
        ACL_ERROR_RT_PARAM_INVALID,
        "event wait: the event was made with flags {:#x}, without ACL_EVENT_SYNC ({:#x}) no "
        "stream can wait for it",
        event->options_.flags, ACL_EVENT_SYNC);
  }
  std::shared_ptr<Milestone> awaited;
  {
    const MutexLock lock(event->mu_);
    if (!event->recorded_ && event->on_demand()) {
      return absl::OkStatus();
    }
    awaited = event->newest_;
  }
  event->pending_waits_.fetch_add(1, std::memory_order_relaxed);
  // Counts the wait as done when the task is destroyed, run or dropped; keeps the event until then.
  const auto finish = [event](Event* waited) {
    waited->pending_waits_.fetch_sub(1, std::memory_order_release);
  };
  std::shared_ptr<Event> counted(event.get(), finish, RecyclingAllocator<Event>());
  return stream.Enqueue(
      {.type = TaskType::kWait},
      [counted = std::move(counted), awaited = std::move(awaited), timeout, order = stream.order(),
       actor = stream.actor()](Interrupt& interrupt) -> absl::Status {
        const Clock::time_point deadline = timeout == Clock::duration::max()
                                               ? Clock::time_point::max()
                                               : SteadyClock().Now() + timeout;
        if (interrupt.Wait(awaited, deadline)) {
          if (order != nullptr) {
            order->StreamLearns(actor, awaited->known());
          }
          return absl::OkStatus();
        }
        if (interrupt.raised()) {
          return absl::OkStatus();
        }
        return Fail(ACL_ERROR_RT_WAIT_TIMEOUT,
                    "the event that this stream waits for did not come in {} ms",
                    std::chrono::duration_cast<std::chrono::milliseconds>(timeout).count());
      });
}

absl::Status Event::Reset(Stream& stream) {
  RETURN_IF_ERROR(CheckStream(stream, "reset"));
  if (on_demand()) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "event reset: not for events of aclrtCreateEventExWithFlag; record again instead");
  }
  // Waits asked for before keep their milestone, so the reset needs no place in the stream to be
  // in order with them.
  const MutexLock lock(mu_);
  if (recorded_) {
    recorded_ = false;
    newest_ = Milestone::Make();
  }
  return absl::OkStatus();
}

void Event::TellHost(const Milestone& reached) const {
  if (options_.order != nullptr) {
    options_.order->HostLearns(reached.known());
  }
}

bool Event::complete() const {
  const MutexLock lock(mu_);
  if (!recorded_) {
    return on_demand();
  }
  if (!newest_->reached()) {
    return false;
  }
  TellHost(*newest_);
  return true;
}

absl::Status Event::Synchronize(Clock::time_point deadline) const {
  std::shared_ptr<Milestone> awaited;
  {
    const MutexLock lock(mu_);
    if (!recorded_) {
      return on_demand() ? absl::OkStatus()
                         : Fail(ACL_ERROR_RT_PARAM_INVALID,
                                "event synchronise: the event was never recorded, or was reset");
    }
    awaited = newest_;
  }
  if (!awaited->Wait(deadline, nullptr)) {
    return Fail(ACL_ERROR_RT_EVENT_SYNC_TIMEOUT,
                "event synchronise: the event was not reached when the time was over");
  }
  TellHost(*awaited);
  return absl::OkStatus();
}

absl::StatusOr<Clock::time_point> Event::Timestamp() const {
  if ((options_.flags & ACL_EVENT_TIME_LINE) == 0) {
    return Fail(ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID,
                "event time: the event was made with flags {:#x}, without ACL_EVENT_TIME_LINE "
                "({:#x}) it has none",
                options_.flags, ACL_EVENT_TIME_LINE);
  }
  const MutexLock lock(mu_);
  if (!recorded_) {
    return Fail(ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID, "event time: the event was never recorded");
  }
  const std::optional<Clock::time_point> at = newest_->reached_at();
  if (!at.has_value()) {
    return Fail(ACL_ERROR_RT_EVENT_NOT_COMPLETE,
                "event time: the record is not done; synchronise the stream first");
  }
  return *at;
}

}  // namespace omserve::hostacl
