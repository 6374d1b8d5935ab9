// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/stream.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <utility>

#include "runtime/base/thread.h"

namespace omserve::hostacl {
namespace {

uint32_t ThisThread() { return static_cast<uint32_t>(syscall(SYS_gettid)); }

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

Stream::Stream(Options options) : options_(std::move(options)) {}

Stream::~Stream() { End(); }

absl::Status Stream::Enqueue(TaskKind kind, const TaskLabel& label, Body body) {
  {
    const MutexLock lock(mu_);
    if (ending_) {
      return Fail(ACL_ERROR_RT_INVALID_HANDLE, "stream {}: it is being destroyed", options_.id);
    }
    ++enqueued_;
    queue_.push_back(
        Task{kind, static_cast<uint32_t>(enqueued_), ThisThread(), label, std::move(body)});
    if (!worker_.has_value()) {
      worker_ = StartThread(fmt::format("acl-stream-{}", options_.id), [this] { Work(); });
    }
  }
  work_cv_.NotifyOne();
  return absl::OkStatus();
}

void Stream::Work() {
  {
    const MutexLock lock(mu_);
    worker_id_ = std::this_thread::get_id();
  }
  while (true) {
    std::optional<Task> task;
    {
      const MutexLock lock(mu_);
      while (queue_.empty() && !ending_) {
        work_cv_.Wait(mu_);
      }
      if (queue_.empty()) {
        return;
      }
      task = std::move(queue_.front());
      queue_.pop_front();
    }
    const absl::Status status = RunTask(*task);
    if (!status.ok()) {
      Remember(status, *task);
    }
    task.reset();
    {
      const MutexLock lock(mu_);
      ++finished_;
    }
    done_cv_.NotifyAll();
  }
}

absl::Status Stream::RunTask(const Task& task) {
  bool stops = false;
  {
    const MutexLock lock(mu_);
    stops = stop_on_failure_;
  }
  if (stops && task.kind == TaskKind::kWork && !options_.latch->Get().ok()) {
    return absl::OkStatus();
  }
  if (FaultPlan& faults = ProcessFaults(); task.kind == TaskKind::kWork && faults.armed()) {
    return faults.RunTask({.what = task.label.what,
                           .model = task.label.model,
                           .device = options_.device->index(),
                           .stream = options_.id},
                          interrupt_, task.body);
  }
  return task.body(interrupt_);
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
  if (OnWorker()) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "stream {}: synchronised from a host function of the same stream, which would wait "
                "for itself",
                options_.id);
  }
  if (!WaitForTasks(deadline)) {
    return Fail(ACL_ERROR_RT_STREAM_SYNC_TIMEOUT,
                "stream {}: its tasks were not done when the time was over; they go on",
                options_.id);
  }
  const MutexLock lock(mu_);
  Failure failure = std::exchange(first_failure_, Failure{});
  if (failure.ok() && stop_on_failure_) {
    failure = options_.latch->Get();
  }
  return failure.ToStatus();
}

void Stream::Drain() {
  if (!OnWorker()) {
    WaitForTasks(Clock::time_point::max());
  }
}

bool Stream::idle() const {
  const MutexLock lock(mu_);
  return finished_ == enqueued_;
}

void Stream::StopOnFailure() {
  const MutexLock lock(mu_);
  stop_on_failure_ = true;
}

void Stream::End() {
  std::deque<Task> dropped;
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
  dropped.clear();
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
