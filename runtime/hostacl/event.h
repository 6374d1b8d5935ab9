// SPDX-License-Identifier: Apache-2.0
// An event: the place in a stream at which it was recorded last.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "runtime/base/mutex.h"
#include "runtime/hostacl/device.h"
#include "runtime/hostacl/milestone.h"
#include "runtime/hostacl/stream.h"

namespace omserve::hostacl {

// Each record makes a milestone of its own, and a wait keeps the one that was newest when the wait
// was asked for; so later records and the event's destruction change nothing for earlier waits.
//
// Two generations of AscendCL differ before the first record and after a reset: there an event with
// a hardware resource (classic) is "not recorded yet" and a wait waits for the record to come,
// while one without (`on_demand`, from aclrtCreateEventExWithFlag) counts as complete.
//
// Thread-safe.
class Event final {
 public:
  struct Options {
    std::shared_ptr<Device> device;
    uint32_t flags = 0;
    bool on_demand = false;
    OrderChecker* order = nullptr;  // Strict mode's; null where that is off. Outlives this.
  };
  // ACL_ERROR_RT_PARAM_INVALID for flags that are none, ACL_ERROR_RT_NO_EVENT_RESOURCE.
  static absl::StatusOr<std::shared_ptr<Event>> Create(Options options);
  ~Event();
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  // Asynchronous. Errors: ACL_ERROR_RT_PARAM_INVALID for a stream of another device.
  absl::Status Record(Stream& stream);
  // Asynchronous: later tasks of `stream` wait for the newest record so far. A wait that takes
  // longer than `timeout` fails as a task with ACL_ERROR_RT_WAIT_TIMEOUT.
  static absl::Status MakeWait(const std::shared_ptr<Event>& event, Stream& stream,
                               Clock::duration timeout);
  absl::Status Reset(Stream& stream);

  // Whether the newest record is done. Tells strict mode what the host then knows.
  bool complete() const;
  // Whether no stream waits for this event.
  bool waits_done() const { return pending_waits_.load(std::memory_order_acquire) == 0; }
  // Blocks. ACL_ERROR_RT_EVENT_SYNC_TIMEOUT; ACL_ERROR_RT_PARAM_INVALID when never recorded.
  absl::Status Synchronize(Clock::time_point deadline) const;
  // When the newest record was done. ACL_ERROR_RT_EVENT_TIMESTAMP_INVALID without
  // ACL_EVENT_TIME_LINE or record, ACL_ERROR_RT_EVENT_NOT_COMPLETE.
  absl::StatusOr<Clock::time_point> Timestamp() const;

  bool on_demand() const { return options_.on_demand; }
  const std::shared_ptr<Device>& device() const { return options_.device; }

 private:
  explicit Event(Options options) : options_(std::move(options)) {}
  absl::Status CheckStream(const Stream& stream, const char* what) const;
  void TellHost(const Milestone& reached) const;

  // Constant after construction.
  const Options options_;
  bool holds_resource_ = false;

  // Synchronises itself. Release on the worker that ends a wait, acquire in waits_done().
  std::atomic<int32_t> pending_waits_{0};

  mutable Mutex mu_;
  bool recorded_ ABSL_GUARDED_BY(mu_) = false;  // newest_ stands in a stream.
  std::shared_ptr<Milestone> newest_ ABSL_GUARDED_BY(mu_) = Milestone::Make();
};

}  // namespace omserve::hostacl
