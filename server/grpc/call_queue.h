// SPDX-License-Identifier: Apache-2.0
// A completion queue of the gRPC server and the thread that polls it.
#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "runtime/base/mutex.h"
#include "server/grpc/queue_waits.h"

namespace omserve::server {

// What a tag of a queue points to.
class QueueEvent {
 public:
  // On the queue's thread. `ok` as gRPC gives it.
  virtual void OnEvent(bool ok) = 0;

 protected:
  ~QueueEvent() = default;
};

// One of an object's tags: calls `handler` of the owner.
template <typename Owner, void (Owner::*handler)(bool ok)>
class MemberEvent final : public QueueEvent {
 public:
  explicit MemberEvent(Owner* owner) : owner_(owner) {}
  void OnEvent(bool ok) override { (owner_->*handler)(ok); }

 private:
  Owner* const owner_;
};

// Thread-safe but for Start and Stop.
class CallQueue final {
 public:
  CallQueue(std::unique_ptr<grpc::ServerCompletionQueue> queue, QueueWaits waits)
      : queue_(std::move(queue)), waits_(waits), woken_(this), beaten_(this), second_(this) {}
  CallQueue(const CallQueue&) = delete;
  CallQueue& operator=(const CallQueue&) = delete;
  ~CallQueue() { Stop(); }

  // What it calls on its thread.
  struct Handlers {
    std::function<void()> on_idle = [] {};    // It has taken all events at hand, or many of them.
    std::function<void()> on_wake = [] {};    // After Wake.
    std::function<void()> on_second = [] {};  // About each second.
  };
  void Start(const std::string& thread_name, Handlers handlers);
  // Requires that the server was shut down. Runs until every event has come. Blocks. Idempotent.
  void Stop();

  grpc::ServerCompletionQueue* get() { return queue_.get(); }
  // Has on_wake run soon (with kNowAndThen within 20 ms), once however often this is called before
  // it begins; not after Stop. Any thread.
  void Wake() {
    WhileOpen([this] {
      if (!is_woken_.exchange(true)) {
        alarm_.Set(queue_.get(), gpr_time_0(GPR_CLOCK_MONOTONIC), &woken_);
      }
    });
    EndRest();
  }
  // Has `beat` run on the queue's thread as soon; not after Stop. Requires that the one before has
  // run.
  void Beat(std::function<void()> beat) {
    {
      const MutexLock lock(beat_mu_);
      beat_ = std::move(beat);
    }
    WhileOpen([this] { pulse_.Set(queue_.get(), gpr_time_0(GPR_CLOCK_MONOTONIC), &beaten_); });
  }
  // Runs `begin`, which begins something whose end the queue tells, unless Stop was called: gRPC
  // aborts where that is begun on a queue that is shut down. False: it did not run.
  template <typename Begin>
  bool WhileOpen(Begin begin) ABSL_LOCKS_EXCLUDED(open_mu_) {
    const MutexLock lock(open_mu_);
    if (is_open_) {
      begin();
    }
    return is_open_;
  }

 private:
  void Run();
  void RunNowAndThen();
  // Until it is time to look, or EndRest.
  void Rest() ABSL_LOCKS_EXCLUDED(rest_mu_);
  void EndRest() ABSL_LOCKS_EXCLUDED(rest_mu_) {
    if (waits_ == QueueWaits::kNowAndThen) {
      const MutexLock lock(rest_mu_);
      rests_ = false;
      rest_.NotifyOne();
    }
  }
  void OnWoken(bool /*ok*/) {
    is_woken_ = false;
    handlers_.on_wake();
  }
  void OnSecond(bool ok);
  void AwaitSecond();

  void OnBeaten(bool /*ok*/) {
    std::function<void()> beat;
    {
      const MutexLock lock(beat_mu_);
      beat.swap(beat_);
    }
    beat();
  }

  const std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  const QueueWaits waits_;
  Handlers handlers_;
  MemberEvent<CallQueue, &CallQueue::OnWoken> woken_;
  grpc::Alarm alarm_;
  MemberEvent<CallQueue, &CallQueue::OnBeaten> beaten_;
  grpc::Alarm pulse_;
  MemberEvent<CallQueue, &CallQueue::OnSecond> second_;
  grpc::Alarm clock_;
  Mutex beat_mu_;
  std::function<void()> beat_ ABSL_GUARDED_BY(beat_mu_);
  std::atomic<bool> is_woken_ = false;
  Mutex open_mu_;
  bool is_open_ ABSL_GUARDED_BY(open_mu_) = true;
  Mutex rest_mu_;
  CondVar rest_;
  bool rests_ ABSL_GUARDED_BY(rest_mu_) = false;
  bool is_stopped_ = false;
  std::jthread thread_;
};

}  // namespace omserve::server
