// SPDX-License-Identifier: Apache-2.0
#include "tools/omctl/bench/driver.h"

#include <sys/prctl.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/thread.h"
#include "tools/omctl/bench/thread_cpu.h"

namespace omserve::bench {
namespace {

// For requests that are still in flight when measuring has ended; then they are cancelled.
constexpr std::chrono::milliseconds kEndGrace{500};
// How much later than asked the kernel may wake the thread that paces an open loop.
constexpr unsigned long kTimerSlackNs = 1000;  // NOLINT(google-runtime-int): prctl has it so.

// One load, from the first request to the last answer. Three kinds of threads meet under mu_: the
// caller's, the transport's, and in an open loop the pacer's.
class LoadRun final {
 public:
  LoadRun(Clock& clock, const LoadPoint& load, Clock::duration deadline)
      : clock_(clock),
        load_(load),
        deadline_(deadline),
        calls_(static_cast<size_t>(load.calls())) {}

  ~LoadRun() { Stop(); }

  Transport::OnDone on_done() {
    return [this](size_t call, absl::Status status) { OnDone(call, std::move(status)); };
  }

  void Start(std::unique_ptr<Transport> transport) {
    transport_ = std::move(transport);
    if (load_.open()) {
      {
        const MutexLock lock(mu_);
        for (size_t call = calls_.size(); call > 0; --call) {
          free_.push_back(call - 1);
        }
      }
      pacer_ = StartThread("bench-pacer", [this] { Pace(); });
      return;
    }
    for (size_t call = 0; call < calls_.size(); ++call) {
      {
        const MutexLock lock(mu_);
        ++in_flight_;
      }
      Send(call, clock_.Now());
    }
  }

  // Ends the present window, if any, and begins the next.
  Window NextWindow() {
    std::vector<Clock::duration> threads = transport_->ThreadCpu();
    if (pacer_.joinable()) {
      threads.push_back(ThreadCpuTime(pacer_));
    }
    const Clock::duration process = ProcessCpu();
    Window ended;
    const MutexLock lock(mu_);
    const Clock::time_point now = clock_.Now();
    ended = std::exchange(window_, Window());
    ended.length = now - window_start_;
    ended.client_cpu = process - process_cpu_;
    for (size_t i = 0; i < threads.size() && i < thread_cpu_.size(); ++i) {
      ended.busiest_thread = std::max(ended.busiest_thread, threads[i] - thread_cpu_[i]);
    }
    window_start_ = now;
    process_cpu_ = process;
    thread_cpu_ = std::move(threads);
    recording_ = true;
    return ended;
  }

  void Wait(Clock::duration time) {
    const Clock::time_point until = clock_.Now() + time;
    const MutexLock lock(mu_);
    while (clock_.WaitUntil(ended_, mu_, until)) {
    }
  }

  // Nothing is sent any longer; waits for what is in flight. Gives how many requests that were.
  int Stop() {
    int left = 0;
    {
      const MutexLock lock(mu_);
      if (std::exchange(stopping_, true)) {
        return 0;
      }
      recording_ = false;
      left = in_flight_;
    }
    pace_.NotifyAll();
    freed_.NotifyAll();
    pacer_ = {};  // Joins.
    if (transport_ == nullptr) {
      return left;
    }
    {
      const Clock::time_point patience = clock_.Now() + kEndGrace;
      const MutexLock lock(mu_);
      while (in_flight_ > 0 && clock_.WaitUntil(ended_, mu_, patience)) {
      }
    }
    transport_->CancelAll();
    {
      const MutexLock lock(mu_);
      while (in_flight_ > 0) {
        ended_.Wait(mu_);
      }
    }
    transport_.reset();
    return left;
  }

 private:
  struct Call {
    Clock::time_point intended;
    Clock::time_point sent;
  };

  void Send(size_t call, Clock::time_point intended) {
    calls_[call].intended = intended;
    calls_[call].sent = clock_.Now();
    transport_->Send(call);
  }

  // On the transport's thread.
  void OnDone(size_t call, absl::Status status) {
    const Clock::time_point now = clock_.Now();
    bool again = false;
    {
      const MutexLock lock(mu_);
      if (recording_) {
        window_.Record({.intended = calls_[call].intended,
                        .sent = calls_[call].sent,
                        .done = now,
                        .status = std::move(status)},
                       deadline_);
      }
      again = !load_.open() && !stopping_;
      in_flight_ -= again ? 0 : 1;
      if (load_.open()) {
        free_.push_back(call);
      }
      if (stopping_) {
        ended_
            .NotifyAll();  // Under the lock: whoever waits may destroy this as soon as it is free.
      } else if (load_.open() && free_.size() == 1) {
        freed_.NotifyOne();
      }
    }
    if (again) {
      Send(call, now);
    }
  }

  // Sends each request when it is due, or as soon after as a call is free.
  void Pace() {
    prctl(PR_SET_TIMERSLACK, kTimerSlackNs);
    ArrivalSchedule schedule(load_.rate, load_.arrivals, load_.seed);
    const Clock::time_point start = clock_.Now();
    while (true) {
      const Clock::time_point intended = start + schedule.Next();
      size_t call = 0;
      {
        const MutexLock lock(mu_);
        while (!stopping_ && clock_.WaitUntil(pace_, mu_, intended)) {
        }
        while (!stopping_ && free_.empty()) {
          freed_.Wait(mu_);
        }
        if (stopping_) {
          return;
        }
        call = free_.back();
        free_.pop_back();
        ++in_flight_;
      }
      Send(call, intended);
    }
  }

  // Constant after Start.
  Clock& clock_;
  const LoadPoint load_;
  const Clock::duration deadline_;
  std::unique_ptr<Transport> transport_;

  std::vector<Call> calls_;  // Each is its request's, from Send to OnDone.

  Mutex mu_;
  CondVar pace_;   // stopping_.
  CondVar freed_;  // A call is free, or stopping_.
  CondVar ended_;  // A request ended while stopping_.
  std::vector<size_t> free_ ABSL_GUARDED_BY(mu_);
  int in_flight_ ABSL_GUARDED_BY(mu_) = 0;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool recording_ ABSL_GUARDED_BY(mu_) = false;
  Window window_ ABSL_GUARDED_BY(mu_);
  Clock::time_point window_start_ ABSL_GUARDED_BY(mu_);
  Clock::duration process_cpu_ ABSL_GUARDED_BY(mu_){0};
  std::vector<Clock::duration> thread_cpu_ ABSL_GUARDED_BY(mu_);

  std::jthread pacer_;
};

absl::Status NothingSucceeded(const Window& window) {
  if (window.failures.empty()) {
    return DeadlineExceeded("no request was answered within the warm-up and the first window");
  }
  const auto most = std::ranges::max_element(window.failures, [](const auto& a, const auto& b) {
    return a.second.count < b.second.count;
  });
  return MakeStatus(most->first,
                    fmt::format("not one of {} requests succeeded; {} failed like this: {}",
                                window.failed(), most->second.count, most->second.first_message));
}

bool IsOver(const std::vector<Window>& windows, const MeasureOptions& options) {
  if (options.duration > Clock::duration::zero()) {
    Clock::duration measured{0};
    for (const Window& window : windows) {
      measured += window.length;
    }
    return measured >= options.duration;
  }
  return IsStable(windows, options.tolerance) ||
         windows.size() >= static_cast<size_t>(options.max_windows);
}

Clock::duration NextLength(const std::vector<Window>& windows, const MeasureOptions& options) {
  if (options.duration == Clock::duration::zero()) {
    return options.window;
  }
  Clock::duration left = options.duration;
  for (const Window& window : windows) {
    left -= window.length;
  }
  // No stub of a window at the end.
  return left < options.window * 3 / 2 ? left : options.window;
}

}  // namespace

absl::StatusOr<PointResult> Measure(const Collaborators& with, const LoadPoint& load,
                                    const MeasureOptions& options) {
  LoadRun run(with.clock, load, options.deadline);
  ASSIGN_OR_RETURN(std::unique_ptr<Transport> transport, with.connect(load.calls(), run.on_done()));
  run.Start(std::move(transport));
  run.Wait(options.warm_up);
  PointResult result{.load = load};
  ASSIGN_OR_RETURN(ServerStages before, with.read_server());
  run.NextWindow();
  do {
    run.Wait(NextLength(result.windows, options));
    Window window = run.NextWindow();
    ASSIGN_OR_RETURN(const ServerStages now, with.read_server());
    window.server = now.Since(std::exchange(before, now));
    if (result.windows.empty() && window.ok() == 0) {
      return NothingSucceeded(window);
    }
    result.windows.push_back(std::move(window));
    with.progress(static_cast<int>(result.windows.size()), result.windows.back());
  } while (!IsOver(result.windows, options));
  result.unanswered = run.Stop();
  result.stable = IsStable(result.windows, options.tolerance);
  const size_t counted = options.duration > Clock::duration::zero()
                             ? result.windows.size()
                             : std::min(result.windows.size(), kStableWindows);
  for (const Window& window : std::span(result.windows).last(counted)) {
    result.measured.Add(window);
  }
  return result;
}

}  // namespace omserve::bench
