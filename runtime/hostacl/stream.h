// SPDX-License-Identifier: Apache-2.0
// A stream: tasks in order on one worker thread. Different streams overlap.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <utility>

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"
#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/device.h"
#include "runtime/hostacl/milestone.h"
#include "runtime/hostacl/ring_queue.h"
#include "runtime/hostacl/strict/order_checker.h"
#include "runtime/hostacl/task.h"

// What an exception callback is given. The C interface names the type and hides the fields.
struct aclrtExceptionInfo {
  uint32_t task_id;
  uint32_t stream_id;
  uint32_t thread_id;  // The kernel's id of the thread that launched the task.
  uint32_t device_id;
  uint32_t error_code;
};

namespace omserve::hostacl {

// The first failure of a context whose streams stop on failure. Thread-safe.
class FailureLatch final {
 public:
  void Set(const Failure& failure);
  Failure Get() const;

 private:
  mutable Mutex mu_;
  Failure first_ ABSL_GUARDED_BY(mu_);
};

// Thread-safe. Invariants: 1. tasks run in the order of Enqueue, one at a time; 2. a task and all
// that it holds is destroyed before anybody is told that it is done; 3. a failure is remembered and
// the failure hook has returned before the next task starts.
class Stream final {
 public:
  using FailureHook = std::function<void(aclrtExceptionInfo)>;

  struct Options {
    std::shared_ptr<Device> device;
    void* handle = nullptr;   // As the C interface knows this stream.
    void* context = nullptr;  // Handle of the context it belongs to.
    int32_t id = 0;           // Unique in the process.
    bool is_default = false;
    std::shared_ptr<FailureLatch> latch;  // The context's.
    FailureHook on_failure;               // Called on the worker, under no lock.
    std::shared_ptr<OrderChecker> order;  // Strict mode's; null where that is off.
  };
  explicit Stream(Options options);
  // Ends the stream: pending tasks are dropped. Drain first to keep them.
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Never blocks, and allocates nothing once the queue has its size. `label.function` is filled in.
  // ACL_ERROR_RT_INVALID_HANDLE once the stream is ending.
  absl::Status Enqueue(TaskLabel label, TaskBody body);
  // Blocks until the tasks enqueued so far are done, then gives the first failure since the last
  // time and forgets it. ACL_ERROR_RT_STREAM_SYNC_TIMEOUT at `deadline`: the work goes on.
  absl::Status Synchronize(Clock::time_point deadline);
  // Blocks like Synchronize but leaves failures where they are.
  void Drain();
  // Whether every task is done. Never blocks.
  bool idle() const;
  // Drops the queued tasks and interrupts the running one where it waits; blocks until that one is
  // over. Threads that synchronise meanwhile get ACL_ERROR_RT_STREAM_ABORT. The stream can be used
  // again, and what failed before is forgotten. Errors: as CheckNotOnWorker.
  absl::Status Abort();
  // ACL_ERROR_RT_PARAM_INVALID in a host function of this stream, which would wait for itself;
  // `what` is what was asked for, in the past tense.
  absl::Status CheckNotOnWorker(const char* what) const;
  // Drops pending tasks, interrupts the running one where it waits, joins the worker. Idempotent.
  // Not from the worker.
  void End();
  // Whether from now on a failure stops the streams of this context that have the mode set. Once
  // per stream: ACL_ERROR_RT_PARAM_INVALID the second time.
  absl::Status SetFailureMode(bool stops);
  // Makes what all finished tasks did known to the host, for strict mode. For who has seen that the
  // stream is idle.
  void TellHost() const;

  const std::shared_ptr<Device>& device() const { return options_.device; }
  void* handle() const { return options_.handle; }
  void* context() const { return options_.context; }
  int32_t id() const { return options_.id; }
  bool is_default() const { return options_.is_default; }
  // Null where strict mode is off.
  OrderChecker* order() const { return options_.order.get(); }
  ActorIndex actor() const { return actor_; }

 private:
  struct Task {
    TaskLabel label;
    uint32_t id = 0;
    uint32_t launcher = 0;
    TaskBody body;
    VectorClock launched;  // Strict mode's.
  };

  void Work();
  absl::Status RunTask(Task& task);
  absl::Status RunBody(Task& task);
  void Remember(const absl::Status& status, const Task& task);
  bool WaitForTasks(Clock::time_point deadline) ABSL_LOCKS_EXCLUDED(mu_);
  bool OnWorker() const;

  // Constant after construction.
  const Options options_;
  const ActorIndex actor_;

  // Synchronises itself.
  Interrupt interrupt_;

  mutable Mutex mu_;
  CondVar work_cv_;
  CondVar done_cv_;
  RingQueue<Task> queue_ ABSL_GUARDED_BY(mu_);
  uint64_t enqueued_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t finished_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t aborts_ ABSL_GUARDED_BY(mu_) = 0;
  bool running_ ABSL_GUARDED_BY(mu_) = false;   // The worker is inside a task.
  uint32_t aborting_ ABSL_GUARDED_BY(mu_) = 0;  // Calls of Abort; while there are, it begins none.
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  bool stop_on_failure_ ABSL_GUARDED_BY(mu_) = false;
  bool failure_mode_is_set_ ABSL_GUARDED_BY(mu_) = false;
  Failure first_failure_ ABSL_GUARDED_BY(mu_);
  VectorClock finished_clock_ ABSL_GUARDED_BY(mu_);  // Strict mode's, of the newest finished task.
  std::thread::id worker_id_ ABSL_GUARDED_BY(mu_);
  // Started by the first task: default streams are many and often unused.
  std::optional<std::jthread> worker_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::hostacl
