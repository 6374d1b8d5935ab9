// SPDX-License-Identifier: Apache-2.0
// SIGTERM and SIGINT as a request to stop; a second one as an order.
#pragma once

#include <thread>

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"

namespace omserve::server {

// Blocks the signals in the calling thread and so in every thread it starts later: made before any
// other thread. One at a time. Thread-safe.
class StopSignals final {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

  bool requested() const ABSL_LOCKS_EXCLUDED(mu_);
  // Blocks until a signal has come.
  void Await() ABSL_LOCKS_EXCLUDED(mu_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mu_);

  mutable Mutex mu_;
  CondVar changed_;
  bool requested_ ABSL_GUARDED_BY(mu_) = false;
  std::jthread thread_;
};

}  // namespace omserve::server
