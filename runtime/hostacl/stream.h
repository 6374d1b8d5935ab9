// SPDX-License-Identifier: Apache-2.0
// A stream: tasks in order on one worker thread. Different streams overlap.
#pragma once

#include <cstdint>
#include <deque>
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
#include "runtime/hostacl/fault_plan.h"
#include "runtime/hostacl/milestone.h"

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

enum class TaskKind {
  kWork,   // Skipped once its context has stopped on a failure.
  kOrder,  // Records, waits, callbacks: always run, so that nobody waits for ever.
};

// A task as fault rules know it.
struct TaskLabel {
  TaskClass what = TaskClass::kOther;
  std::string_view model = {};  // Of an execution; its body keeps it.
};

// Thread-safe. Invariants: 1. tasks run in the order of Enqueue, one at a time; 2. a task and all
// that it holds is destroyed before anybody is told that it is done; 3. a failure is remembered and
// the failure hook has returned before the next task starts.
class Stream final {
 public:
  // Runs on the worker; gives up waiting when the interrupt is raised.
  using Body = std::function<absl::Status(Interrupt&)>;
  using FailureHook = std::function<void(aclrtExceptionInfo)>;

  struct Options {
    std::shared_ptr<Device> device;
    void* handle = nullptr;   // As the C interface knows this stream.
    void* context = nullptr;  // Handle of the context it belongs to.
    int32_t id = 0;           // Unique in the process.
    bool is_default = false;
    std::shared_ptr<FailureLatch> latch;  // The context's.
    FailureHook on_failure;               // Called on the worker, under no lock.
  };
  explicit Stream(Options options);
  // Ends the stream: pending tasks are dropped. Drain first to keep them.
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  // Never blocks. ACL_ERROR_RT_INVALID_HANDLE once the stream is ending.
  absl::Status Enqueue(TaskKind kind, Body body) { return Enqueue(kind, {}, std::move(body)); }
  // `label` says what fault rules choose a task by.
  absl::Status Enqueue(TaskKind kind, const TaskLabel& label, Body body);
  // Blocks until the tasks enqueued so far are done, then gives the first failure since the last
  // time and forgets it. ACL_ERROR_RT_STREAM_SYNC_TIMEOUT at `deadline`: the work goes on.
  absl::Status Synchronize(Clock::time_point deadline);
  // Blocks like Synchronize but leaves failures where they are.
  void Drain();
  // Whether every task is done. Never blocks.
  bool idle() const;
  // Drops pending tasks, interrupts the running one where it waits, joins the worker. Idempotent.
  void End();
  // From now on a failure stops the streams of this context that have the mode set.
  void StopOnFailure();

  const std::shared_ptr<Device>& device() const { return options_.device; }
  void* handle() const { return options_.handle; }
  void* context() const { return options_.context; }
  int32_t id() const { return options_.id; }
  bool is_default() const { return options_.is_default; }

 private:
  struct Task {
    TaskKind kind;
    uint32_t id;
    uint32_t launcher;
    TaskLabel label;
    Body body;
  };

  void Work();
  absl::Status RunTask(const Task& task);
  void Remember(const absl::Status& status, const Task& task);
  bool WaitForTasks(Clock::time_point deadline) ABSL_LOCKS_EXCLUDED(mu_);
  bool OnWorker() const;

  // Constant after construction.
  const Options options_;

  // Synchronises itself.
  Interrupt interrupt_;

  mutable Mutex mu_;
  CondVar work_cv_;
  CondVar done_cv_;
  std::deque<Task> queue_ ABSL_GUARDED_BY(mu_);
  uint64_t enqueued_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t finished_ ABSL_GUARDED_BY(mu_) = 0;
  bool ending_ ABSL_GUARDED_BY(mu_) = false;
  bool stop_on_failure_ ABSL_GUARDED_BY(mu_) = false;
  Failure first_failure_ ABSL_GUARDED_BY(mu_);
  std::thread::id worker_id_ ABSL_GUARDED_BY(mu_);
  // Started by the first task: default streams are many and often unused.
  std::optional<std::jthread> worker_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::hostacl
