// SPDX-License-Identifier: Apache-2.0
// Callbacks: launched in a stream, run by the thread that subscribed, inside aclrtProcessReport.
#pragma once

#include <cstdint>
#include <map>
#include <memory>

#include "absl/status/statusor.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/hostacl/milestone.h"
#include "runtime/hostacl/stream.h"

namespace omserve::hostacl {

// The callbacks that wait for one thread. Thread-safe.
class ReportQueue final {
 public:
  // `done` (may be null) is reached when the callback has returned or was dropped. In strict mode
  // the callback knows `known`.
  void Post(aclrtCallback callback, void* user_data, std::shared_ptr<Milestone> done,
            VectorClock known);
  // Runs what is there, in this thread, outside any lock; waits for the first until `deadline`.
  // Whether anything was run. `order` is strict mode's or null.
  bool Process(Clock::time_point deadline, OrderChecker* order);
  // Drops what waits and wakes Process. Final.
  void Close();
  bool closed() const;

 private:
  struct Entry {
    aclrtCallback callback = nullptr;
    void* user_data = nullptr;
    std::shared_ptr<Milestone> done;
    VectorClock known;
  };
  void Run(Entry& entry, OrderChecker* order) const;

  mutable Mutex mu_;
  CondVar posted_cv_;
  RingQueue<Entry> entries_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
};

// Who processes which stream: a stream has one thread, a thread many streams of one device.
// Thread-safe.
class ReportHub final {
 public:
  // `order` is strict mode's, null where that is off; it outlives the hub.
  explicit ReportHub(OrderChecker* order) : order_(order) {}

  // Errors: ACL_ERROR_RT_STREAM_SUBSCRIBE when the stream has a thread,
  // ACL_ERROR_RT_THREAD_SUBSCRIBE when the thread serves another device, ACL_ERROR_RT_OVER_LIMIT
  // beyond 1024 threads.
  absl::Status Subscribe(uint64_t thread, const Stream& stream);
  // ACL_ERROR_RT_STREAM_SUBSCRIBE when the stream has not this thread.
  absl::Status Unsubscribe(uint64_t thread, const Stream& stream);
  // For streams that end: no error when there is no subscription.
  void Forget(const Stream& stream);
  // Asynchronous. `block`: later tasks wait until the callback has returned.
  // ACL_ERROR_RT_STREAM_NO_CB_REG when nobody has subscribed to the stream.
  absl::Status Launch(aclrtCallback callback, void* user_data, bool block, Stream& stream);
  // Blocks until a callback was run. ACL_ERROR_RT_REPORT_TIMEOUT at `deadline`,
  // ACL_ERROR_RT_THREAD_SUBSCRIBE when this thread has, or from now on has, no subscription.
  absl::Status Process(uint64_t thread, Clock::time_point deadline);
  // Wakes every Process and drops all callbacks. Final.
  void Shutdown();

 private:
  struct Subscriber {
    std::shared_ptr<ReportQueue> queue = std::make_shared<ReportQueue>();
    int32_t device = 0;
    uint32_t streams = 0;
  };

  void RemoveLocked(int32_t stream_id) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  OrderChecker* const order_;

  Mutex mu_;
  std::map<uint64_t, Subscriber> subscribers_ ABSL_GUARDED_BY(mu_);
  std::map<int32_t, uint64_t> thread_of_stream_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::hostacl
