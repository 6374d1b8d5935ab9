// SPDX-License-Identifier: Apache-2.0
#include <pthread.h>

#include "runtime/acl/device.h"
#include "runtime/acl/status.h"
#include "runtime/acl/symbols.h"
#include "runtime/base/check.h"
#include "runtime/base/clock.h"
#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "runtime/base/thread.h"

namespace omserve::acl {
namespace {

// How long one aclrtProcessReport waits for work, and so at most how long a stop takes.
constexpr int32_t kReportTimeoutMs = 100;
constexpr std::chrono::milliseconds kPause(100);

}  // namespace

absl::StatusOr<std::unique_ptr<CompletionThread>> CompletionThread::Start(const Device& device) {
  // The constructor is private, which std::make_unique cannot reach.
  std::unique_ptr<CompletionThread> completion(new CompletionThread(device));
  CompletionThread* raw = completion.get();
  raw->thread_ =
      StartThread(fmt::format("acl-report-{}", device.id()), [raw]() noexcept { raw->Run(); });
  MutexLock lock(raw->mu_);
  while (!raw->thread_id_.has_value()) {
    raw->changed_.Wait(raw->mu_);
  }
  RETURN_IF_ERROR(raw->thread_id_->status());
  return completion;
}

CompletionThread::~CompletionThread() {
  {
    MutexLock lock(mu_);
    stop_ = true;
    changed_.NotifyAll();
  }
}

void CompletionThread::Run() {
  const absl::Status bound = device_.Bind();
  {
    MutexLock lock(mu_);
    if (bound.ok()) {
      // AscendCL takes pthread_self() as a number.
      thread_id_ = uint64_t{pthread_self()};
    } else {
      thread_id_ = bound;
    }
    changed_.NotifyAll();
  }
  if (!bound.ok()) {
    return;
  }
  aclError last_code = ACL_SUCCESS;
  while (AwaitWork()) {
    const aclError code = device_.symbols().aclrtProcessReport(kReportTimeoutMs);
    const bool normal = code == ACL_SUCCESS || code == ACL_ERROR_RT_REPORT_TIMEOUT;
    if (!normal) {
      // The last stream may just have been unsubscribed, which this thread then learns from the
      // library (107012) before it learns it from AwaitWork.
      if (code != last_code && code != ACL_ERROR_RT_THREAD_SUBSCRIBE) {
        OMSERVE_LOG(kError, "acl", "device={} {}", device_.id(),
                    MessageOf(AclStatus(device_.symbols(), "aclrtProcessReport", code)));
      }
      Pause();
    }
    last_code = code;
  }
}

bool CompletionThread::AwaitWork() {
  MutexLock lock(mu_);
  while (!stop_ && subscription_count_ == 0) {
    changed_.Wait(mu_);
  }
  return !stop_;
}

void CompletionThread::Pause() {
  Clock& clock = SteadyClock();
  const Clock::time_point end = clock.Now() + kPause;
  MutexLock lock(mu_);
  const size_t count = subscription_count_;
  while (!stop_ && subscription_count_ == count) {
    if (!clock.WaitUntil(changed_, mu_, end)) {
      return;
    }
  }
}

absl::Status CompletionThread::Subscribe(Stream& stream) {
  uint64_t thread_id = 0;
  {
    MutexLock lock(mu_);
    OMSERVE_CHECK(thread_id_.has_value(), "Start returned after the thread had begun");
    thread_id = thread_id_->value();
  }
  RETURN_IF_ERROR(stream.StatusOf(
      "aclrtSubscribeReport", device_.symbols().aclrtSubscribeReport(thread_id, stream.handle_)));
  MutexLock lock(mu_);
  ++subscription_count_;
  changed_.NotifyAll();
  return absl::OkStatus();
}

absl::Status CompletionThread::Unsubscribe(Stream& stream) {
  uint64_t thread_id = 0;
  {
    MutexLock lock(mu_);
    OMSERVE_CHECK(thread_id_.has_value(), "Start returned after the thread had begun");
    thread_id = thread_id_->value();
  }
  RETURN_IF_ERROR(
      stream.StatusOf("aclrtUnSubscribeReport",
                      device_.symbols().aclrtUnSubscribeReport(thread_id, stream.handle_)));
  MutexLock lock(mu_);
  --subscription_count_;
  changed_.NotifyAll();
  return absl::OkStatus();
}

}  // namespace omserve::acl
