// SPDX-License-Identifier: Apache-2.0
#include "server/stop_signals.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include "runtime/base/log.h"
#include "runtime/base/thread.h"

namespace omserve::server {
namespace {

// Tells the thread to end; nobody else sends it.
constexpr int kEndSignal = SIGUSR2;

sigset_t WatchedSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, kEndSignal);
  return set;
}

}  // namespace

StopSignals::StopSignals() {
  const sigset_t set = WatchedSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  // A client that goes away while it is written to is an error code, not a signal.
  signal(SIGPIPE, SIG_IGN);
  thread_ = StartThread("signals", [this] { Run(); });
}

StopSignals::~StopSignals() { pthread_kill(thread_.native_handle(), kEndSignal); }

bool StopSignals::requested() const {
  const MutexLock lock(mu_);
  return requested_;
}

void StopSignals::Await() {
  const MutexLock lock(mu_);
  while (!requested_) {
    changed_.Wait(mu_);
  }
}

void StopSignals::Run() {
  const sigset_t set = WatchedSignals();
  bool first = true;
  while (true) {
    int number = 0;
    if (sigwait(&set, &number) != 0) {
      continue;
    }
    if (number == kEndSignal) {
      return;
    }
    if (!first) {
      // Whoever asks twice does not want to wait, not even for destructors.
      OMSERVE_LOG(kWarning, "server", "second signal: stopping at once signal={}", number);
      _exit(1);
    }
    first = false;
    OMSERVE_LOG(kInfo, "server", "signal: stopping in order signal={}", number);
    const MutexLock lock(mu_);
    requested_ = true;
    changed_.NotifyAll();
  }
}

}  // namespace omserve::server
