// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/stream.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include "runtime/base/thread.h"
#include "runtime/hostacl/entry.h"
#include "runtime/hostacl/fault_plan.h"

namespace omserve::hostacl {
namespace {

// Asked once a thread: the system call costs more than the rest of a launch.
uint32_t ThisThread() {
  thread_local const auto id = static_cast<uint32_t>(syscall(SYS_gettid));
  return id;
}

// As fault rules choose by it.
TaskClass ClassOf(TaskType type) {
  switch (type) {
    case TaskType::kExecute:
      return TaskClass::kExecute;
    case TaskType::kCopy:
      return TaskClass::kCopy;
    default:
      return TaskClass::kOther;
  }
}

// "copy of aclrtMemcpyAsync, task 3 of stream 5", "execute of model 'vision' (id 2), task ...".
std::string NameOf(const TaskLabel& label, uint32_t task, int32_t stream) {
  const std::string what = label.model.empty()
                               ? fmt::format("{} of {}", TaskTypeName(label.type), label.function)
                               : fmt::format("{} of model '{}' (id {})", TaskTypeName(label.type),
                                             label.model, label.model_id);
  return fmt::format("{}, task {} of stream {}", what, task, stream);
}

}  // namespace

void FailureLatch::Set(const Failure& failure) {
  const MutexLock lock(mu_);
  if (first_.ok()) {
    first_ = failure;
  }
}

Failure FailureLatch::Get() const {
  const MutexLock lock(mu_);
  return first_;
}

Stream::Stream(Options options)
    : options_(std::move(options)),
      actor_(options_.order == nullptr ? kHostActor : options_.order->AddStream()) {}

Stream::~Stream() {
  End();
  if (options_.order != nullptr) {
    options_.order->RemoveStream(actor_);
  }
}

absl::Status Stream::Enqueue(TaskLabel label, TaskBody body) {
  label.function = CurrentFunction();
  Task task;
  task.label = label;
  task.launcher = ThisThread();
  task.body = std::move(body);
  if (options_.order != nullptr) {
    task.launched = options_.order->Launch();
  }
  {
    const MutexLock lock(mu_);
    if (ending_) {
      return Fail(ACL_ERROR_RT_INVALID_HANDLE, "stream {}: it is being destroyed", options_.id);
    }
    ++enqueued_;
    task.id = static_cast<uint32_t>(enqueued_);
    queue_.Push(std::move(task));
    if (!worker_.has_value()) {
      worker_ = StartThread(fmt::format("acl-stream-{}", options_.id), [this] { Work(); });
    }
  }
  work_cv_.NotifyOne();
  return absl::OkStatus();
}

void Stream::Work() {
  if (options_.device->timed() == nullptr) {
    // What launches tasks goes on launching: a processor has no streams beside its threads, and
    // changing to this one at each task would cost more than the task. A timed stream is to be
    // punctual.
    WaitForTurns();
  }
  {
    const MutexLock lock(mu_);
    worker_id_ = std::this_thread::get_id();
  }
  while (true) {
    Task task;
    {
      const MutexLock lock(mu_);
      while ((queue_.empty() || aborting_ > 0) && !ending_) {
        work_cv_.Wait(mu_);
      }
      if (queue_.empty()) {
        return;
      }
      task = queue_.Pop();
      running_ = true;
    }
    const absl::Status status = RunTask(task);
    if (!status.ok()) {
      Remember(status, task);
    }
    task.body = TaskBody();
    {
      const MutexLock lock(mu_);
      if (options_.order != nullptr) {
        finished_clock_ = options_.order->StreamClock(actor_);
      }
      ++finished_;
      running_ = false;
    }
    done_cv_.NotifyAll();
  }
}

absl::Status Stream::RunBody(Task& task) {
  FaultPlan& faults = ProcessFaults();
  if (!IsWork(task.label.type) || !faults.armed()) {
    return task.body(interrupt_);
  }
  return faults.RunTask({.what = ClassOf(task.label.type),
                         .model = task.label.model,
                         .device = options_.device->index(),
                         .stream = options_.id},
                        interrupt_, task.body);
}

absl::Status Stream::RunTask(Task& task) {
  bool stops = false;
  {
    const MutexLock lock(mu_);
    stops = stop_on_failure_;
  }
  if (stops && IsWork(task.label.type) && !options_.latch->Get().ok()) {
    return absl::OkStatus();
  }
  OrderChecker* const order = options_.order.get();
  if (order == nullptr) {
    return RunBody(task);
  }
  order->BeginTask(actor_, task.launched, NameOf(task.label, task.id, options_.id));
  absl::Status status = RunBody(task);
  OrderChecker::EndTask();
  return status;
}

void Stream::Remember(const absl::Status& status, const Task& task) {
  const Failure failure = ToFailure(
      WithAclCode(WithContext(status, fmt::format("stream {}, task {}", options_.id, task.id)),
                  AclCodeOf(status)));
  bool stops = false;
  {
    const MutexLock lock(mu_);
    if (first_failure_.ok()) {
      first_failure_ = failure;
    }
    stops = stop_on_failure_;
  }
  if (stops) {
    options_.latch->Set(failure);
  }
  if (options_.on_failure) {
    // The callback runs on this thread and may ask aclGetRecentErrMsg for the words.
    static_cast<void>(Answer(failure.ToStatus()));
    options_.on_failure({task.id, static_cast<uint32_t>(options_.id), task.launcher,
                         static_cast<uint32_t>(options_.device->index()),
                         static_cast<uint32_t>(failure.code)});
  }
}

absl::Status Stream::CheckNotOnWorker(const char* what) const {
  return OnWorker() ? Fail(ACL_ERROR_RT_PARAM_INVALID,
                           "stream {}: {} from a host function of the same stream, which would "
                           "wait for itself",
                           options_.id, what)
                    : absl::OkStatus();
}

bool Stream::OnWorker() const {
  const MutexLock lock(mu_);
  return worker_id_ == std::this_thread::get_id();
}

bool Stream::WaitForTasks(Clock::time_point deadline) {
  const MutexLock lock(mu_);
  const uint64_t target = enqueued_;
  while (finished_ < target) {
    if (!SteadyClock().WaitUntil(done_cv_, mu_, deadline) && finished_ < target) {
      return false;
    }
  }
  return true;
}

absl::Status Stream::Synchronize(Clock::time_point deadline) {
  RETURN_IF_ERROR(CheckNotOnWorker("synchronised"));
  uint64_t aborts_before = 0;
  {
    const MutexLock lock(mu_);
    aborts_before = aborts_;
  }
  if (!WaitForTasks(deadline)) {
    return Fail(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT,
                "stream {}: its tasks were not done when the time was over; they go on",
                options_.id);
  }
  TellHost();
  const MutexLock lock(mu_);
  if (aborts_ != aborts_before) {
    return Fail(ACL_ERROR_RT_STREAM_ABORT, "stream {}: it was aborted", options_.id);
  }
  Failure failure = std::exchange(first_failure_, Failure{});
  if (failure.ok() && stop_on_failure_) {
    failure = options_.latch->Get();
  }
  return failure.ToStatus();
}

void Stream::TellHost() const {
  if (options_.order == nullptr) {
    return;
  }
  VectorClock known;
  {
    const MutexLock lock(mu_);
    known = finished_clock_;
  }
  options_.order->HostLearns(known);
}

void Stream::Drain() {
  if (!OnWorker()) {
    WaitForTasks(Clock::time_point::max());
    TellHost();
  }
}

bool Stream::idle() const {
  const MutexLock lock(mu_);
  return finished_ == enqueued_;
}

absl::Status Stream::SetFailureMode(bool stops) {
  const MutexLock lock(mu_);
  if (failure_mode_is_set_) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID, "stream {}: its failure mode was set before",
                options_.id);
  }
  failure_mode_is_set_ = true;
  stop_on_failure_ = stops;
  return absl::OkStatus();
}

absl::Status Stream::Abort() {
  RETURN_IF_ERROR(CheckNotOnWorker("aborted"));
  RingQueue<Task> dropped;
  {
    const MutexLock lock(mu_);
    dropped.swap(queue_);
    ++aborting_;
    ++aborts_;
  }
  interrupt_.Raise();
  const size_t dropped_count = dropped.size();
  dropped = {};
  {
    const MutexLock lock(mu_);
    finished_ += dropped_count;
    while (running_) {
      done_cv_.Wait(mu_);
    }
    // The last of several at once: a task must not begin under another's interrupt.
    if (--aborting_ == 0 && !ending_) {
      interrupt_.Lower();
    }
    first_failure_ = {};
  }
  TellHost();
  work_cv_.NotifyAll();
  done_cv_.NotifyAll();
  return absl::OkStatus();
}

void Stream::End() {
  RingQueue<Task> dropped;
  std::optional<std::jthread> worker;
  {
    const MutexLock lock(mu_);
    ending_ = true;
    dropped.swap(queue_);
    worker.swap(worker_);
  }
  interrupt_.Raise();
  work_cv_.NotifyAll();
  const size_t dropped_count = dropped.size();
  // Tasks tell their end by being destroyed: events of dropped records are reached, models are
  // idle.
  dropped = {};
  if (worker.has_value()) {
    worker->join();
  }
  {
    const MutexLock lock(mu_);
    finished_ += dropped_count;
  }
  done_cv_.NotifyAll();
}

}  // namespace omserve::hostacl
