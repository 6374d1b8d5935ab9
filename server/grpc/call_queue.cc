// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/call_queue.h"

#include <chrono>
#include <utility>

#include "runtime/base/clock.h"
#include "runtime/base/thread.h"

namespace omserve::server {
namespace {

// A queue that never runs dry must not keep what was gathered from going on.
constexpr int kMostEvents = 128;
constexpr std::chrono::milliseconds kRest{20};

void Take(void* tag, bool ok) { static_cast<QueueEvent*>(tag)->OnEvent(ok); }

}  // namespace

void CallQueue::Start(const std::string& thread_name, Handlers handlers) {
  handlers_ = std::move(handlers);
  AwaitSecond();
  thread_ = StartThread(thread_name, [this] {
    if (waits_ == QueueWaits::kAlways) {
      Run();
    } else {
      RunNowAndThen();
    }
  });
}

void CallQueue::Stop() {
  if (std::exchange(is_stopped_, true)) {
    return;
  }
  {
    const MutexLock lock(open_mu_);
    is_open_ = false;
    clock_.Cancel();  // Its tag comes at once.
  }
  queue_->Shutdown();
  EndRest();
  if (thread_.joinable()) {
    thread_.join();
    return;
  }
  void* tag = nullptr;  // Of a server that could not be built: nothing comes but the end.
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
  }
}

void CallQueue::AwaitSecond() {
  const gpr_timespec second = gpr_time_from_seconds(1, GPR_TIMESPAN);
  WhileOpen([&] {
    clock_.Set(queue_.get(), gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), second), &second_);
  });
}

void CallQueue::OnSecond(bool ok) {
  if (ok) {  // Else it was cancelled.
    handlers_.on_second();
    AwaitSecond();
  }
}

void CallQueue::Run() {
  void* tag = nullptr;
  bool ok = false;
  while (queue_->Next(&tag, &ok)) {
    Take(tag, ok);
    const gpr_timespec at_once = gpr_time_0(GPR_CLOCK_MONOTONIC);
    for (int taken = 1; taken < kMostEvents &&
                        queue_->AsyncNext(&tag, &ok, at_once) == grpc::CompletionQueue::GOT_EVENT;
         ++taken) {
      Take(tag, ok);
    }
    handlers_.on_idle();
  }
}

void CallQueue::RunNowAndThen() {
  bool is_busy = false;
  while (true) {
    void* tag = nullptr;
    bool ok = false;
    const auto until =
        std::chrono::system_clock::now() + (is_busy ? kRest : std::chrono::milliseconds(0));
    switch (queue_->AsyncNext(&tag, &ok, until)) {
      case grpc::CompletionQueue::SHUTDOWN:
        return;
      case grpc::CompletionQueue::GOT_EVENT:
        Take(tag, ok);
        handlers_.on_idle();
        is_busy = true;
        break;
      case grpc::CompletionQueue::TIMEOUT:
        is_busy = false;
        Rest();
        break;
    }
  }
}

void CallQueue::Rest() {
  const Clock::time_point until = SteadyClock().Now() + kRest;
  const MutexLock lock(rest_mu_);
  rests_ = true;
  while (rests_ && SteadyClock().WaitUntil(rest_, rest_mu_, until)) {
  }
}

}  // namespace omserve::server
