// SPDX-License-Identifier: Apache-2.0
// Whether the daemon's loops turn. Each is asked now and then to run something small; one that has
// not for long is stuck, and a daemon with a stuck loop is not live.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"

namespace omserve::server {

// Thread-safe but for Add, which is before Start.
class Heartbeats final {
 public:
  // Has a loop run `beat` soon, on the loop's thread. Must not block. It is not called again before
  // `beat` has run, which may be after Stop.
  using Ask = std::function<void(std::function<void()> beat)>;
  struct Options {
    std::chrono::milliseconds interval{1000};  // Between two questions. Above 0.
    // How long an answer may take; rounded up to intervals. Time in which nobody asked, since the
    // process did not run, does not count.
    std::chrono::milliseconds limit{30'000};
  };
  struct Loop {
    std::string name;
    bool is_stuck = false;
  };

  // `on_change` is told which loops are stuck when that changes, on a thread of its own: "" or
  // words such as "grpc-0 and device-1 have not turned for more than 30000 ms". `clock` outlives
  // it.
  Heartbeats(Clock& clock, const Options& options,
             std::function<void(const std::string& stuck)> on_change);
  Heartbeats(const Heartbeats&) = delete;
  Heartbeats& operator=(const Heartbeats&) = delete;
  ~Heartbeats() { Stop(); }

  void Add(std::string name, Ask ask);
  void Start();
  // After it nobody is asked any longer. Joins the thread. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);
  // As of the last question.
  std::vector<Loop> Loops() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Asked {
    std::string name;
    Ask ask;
    // Set by the loop, looked at by the thread here: nothing else is handed over.
    std::shared_ptr<std::atomic<bool>> answered = std::make_shared<std::atomic<bool>>(true);
    int64_t missed = 0;  // Questions that were not put, since the last one was not answered.
  };

  void Run() ABSL_LOCKS_EXCLUDED(mu_);
  void AskAll() ABSL_LOCKS_EXCLUDED(mu_);

  Clock& clock_;
  const Options options_;
  const int64_t most_missed_;
  const std::function<void(const std::string&)> on_change_;
  std::vector<Asked> asked_;  // Of the thread, once it runs.
  std::string stuck_;         // Likewise: what was told last.

  mutable Mutex mu_;
  CondVar wake_;
  bool stop_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<Loop> loops_ ABSL_GUARDED_BY(mu_);
  std::jthread thread_;
};

}  // namespace omserve::server
