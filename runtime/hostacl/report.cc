// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/report.h"

#include <utility>

#include "runtime/hostacl/acl_status.h"

namespace omserve::hostacl {
namespace {

constexpr size_t kMaxThreads = 1024;

}  // namespace

void ReportQueue::Post(aclrtCallback callback, void* user_data, std::shared_ptr<Milestone> done,
                       VectorClock known) {
  {
    const MutexLock lock(mu_);
    if (!closed_) {
      entries_.Push({callback, user_data, std::move(done), std::move(known)});
      posted_cv_.NotifyAll();
      return;
    }
  }
  if (done != nullptr) {
    done->Reach();
  }
}

bool ReportQueue::Process(Clock::time_point deadline, OrderChecker* order) {
  size_t count = 0;
  {
    const MutexLock lock(mu_);
    while (entries_.empty() && !closed_) {
      if (!SteadyClock().WaitUntil(posted_cv_, mu_, deadline)) {
        break;
      }
    }
    count = entries_.size();
  }
  // Only what was there: callbacks that come while these run are for the next call.
  for (size_t i = 0; i < count; ++i) {
    Entry entry;
    {
      const MutexLock lock(mu_);
      if (entries_.empty()) {
        break;  // Closed by a callback.
      }
      entry = entries_.Pop();
    }
    Run(entry, order);
  }
  return count > 0;
}

void ReportQueue::Run(Entry& entry, OrderChecker* order) const {
  if (order != nullptr) {
    order->HostLearns(entry.known);
  }
  entry.callback(entry.user_data);
  if (entry.done != nullptr) {
    if (order != nullptr) {
      entry.done->SetKnown(order->HostClock());
    }
    entry.done->Reach();
  }
}

void ReportQueue::Close() {
  RingQueue<Entry> dropped;
  {
    const MutexLock lock(mu_);
    closed_ = true;
    dropped.swap(entries_);
  }
  posted_cv_.NotifyAll();
  while (!dropped.empty()) {
    const Entry entry = dropped.Pop();
    if (entry.done != nullptr) {
      entry.done->Reach();
    }
  }
}

bool ReportQueue::closed() const {
  const MutexLock lock(mu_);
  return closed_;
}

absl::Status ReportHub::Subscribe(uint64_t thread, const Stream& stream) {
  const int32_t device = stream.device()->index();
  const MutexLock lock(mu_);
  if (thread_of_stream_.contains(stream.id())) {
    return Fail(ACL_ERROR_RT_STREAM_SUBSCRIBE,
                "stream {}: thread {} has subscribed to it; unsubscribe first", stream.id(),
                thread_of_stream_[stream.id()]);
  }
  const auto known = subscribers_.find(thread);
  if (known == subscribers_.end() && subscribers_.size() >= kMaxThreads) {
    return Fail(ACL_ERROR_RT_OVER_LIMIT, "subscribe: {} threads process reports, which is the most",
                kMaxThreads);
  }
  if (known != subscribers_.end() && known->second.device != device) {
    return Fail(
        ACL_ERROR_RT_THREAD_SUBSCRIBE,
        "subscribe: thread {} processes reports of device {} and cannot do so for device {}",
        thread, known->second.device, device);
  }
  Subscriber& subscriber = subscribers_[thread];
  subscriber.device = device;
  ++subscriber.streams;
  thread_of_stream_[stream.id()] = thread;
  return absl::OkStatus();
}

absl::Status ReportHub::Unsubscribe(uint64_t thread, const Stream& stream) {
  const MutexLock lock(mu_);
  const auto found = thread_of_stream_.find(stream.id());
  if (found == thread_of_stream_.end() || found->second != thread) {
    return Fail(ACL_ERROR_RT_STREAM_SUBSCRIBE, "stream {}: thread {} has not subscribed to it",
                stream.id(), thread);
  }
  RemoveLocked(stream.id());
  return absl::OkStatus();
}

void ReportHub::Forget(const Stream& stream) {
  const MutexLock lock(mu_);
  RemoveLocked(stream.id());
}

void ReportHub::RemoveLocked(int32_t stream_id) {
  const auto found = thread_of_stream_.find(stream_id);
  if (found == thread_of_stream_.end()) {
    return;
  }
  const auto subscriber = subscribers_.find(found->second);
  thread_of_stream_.erase(found);
  if (--subscriber->second.streams == 0) {
    // Close takes the queue's lock under the hub's; nothing takes them the other way round.
    subscriber->second.queue->Close();
    subscribers_.erase(subscriber);
  }
}

absl::Status ReportHub::Launch(aclrtCallback callback, void* user_data, bool block,
                               Stream& stream) {
  std::shared_ptr<ReportQueue> queue;
  {
    const MutexLock lock(mu_);
    const auto found = thread_of_stream_.find(stream.id());
    if (found == thread_of_stream_.end()) {
      return Fail(ACL_ERROR_RT_STREAM_NO_CB_REG,
                  "stream {}: no thread has subscribed to it; call aclrtSubscribeReport first",
                  stream.id());
    }
    queue = subscribers_[found->second].queue;
  }
  return stream.Enqueue(
      {.type = TaskType::kCallback},
      [queue = std::move(queue), callback, user_data, block, order = order_,
       actor = stream.actor()](Interrupt& interrupt) {
        std::shared_ptr<Milestone> done = block ? Milestone::Make() : nullptr;
        queue->Post(callback, user_data, done,
                    order == nullptr ? VectorClock() : order->StreamClock(actor));
        if (block && interrupt.Wait(done, Clock::time_point::max()) && order != nullptr) {
          order->StreamLearns(actor, done->known());
        }
        return absl::OkStatus();
      });
}

absl::Status ReportHub::Process(uint64_t thread, Clock::time_point deadline) {
  std::shared_ptr<ReportQueue> queue;
  {
    const MutexLock lock(mu_);
    const auto found = subscribers_.find(thread);
    if (found != subscribers_.end()) {
      queue = found->second.queue;
    }
  }
  if (queue != nullptr && queue->Process(deadline, order_)) {
    return absl::OkStatus();
  }
  if (queue == nullptr || queue->closed()) {
    return Fail(ACL_ERROR_RT_THREAD_SUBSCRIBE,
                "process report: thread {} has no subscription; call aclrtSubscribeReport with its "
                "pthread_self() first",
                thread);
  }
  return Fail(ACL_ERROR_RT_REPORT_TIMEOUT, "process report: no callback came in time");
}

void ReportHub::Shutdown() {
  const MutexLock lock(mu_);
  for (auto& entry : subscribers_) {
    entry.second.queue->Close();
  }
  subscribers_.clear();
  thread_of_stream_.clear();
}

}  // namespace omserve::hostacl
