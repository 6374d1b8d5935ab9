// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/thread.h"

#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <system_error>
#include <utility>

#include "runtime/base/clock.h"

namespace omserve {

void NameThisThread(const std::string& name) {
  pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
}

void WaitForTurns() {
  const sched_param priority{};
  sched_setscheduler(0, SCHED_BATCH, &priority);  // Allowed to everybody; a hint where it fails.
}

void Yield(int niceness) {
  if (niceness >= kOnlyWhenIdle) {
    const sched_param priority{};
    if (sched_setscheduler(0, SCHED_IDLE, &priority) == 0) {
      return;
    }
    niceness = kOnlyWhenIdle - 1;  // Where it is forbidden: as near as nice(1) comes.
  }
  // Of this thread alone: what Linux calls a process here is a thread. A hint where it fails.
  setpriority(PRIO_PROCESS, static_cast<id_t>(gettid()), niceness);
}

void GiveWay() {
  // Linux 6.18 charges who yields for the whole turn, 3 ms, however little of it was had: beside a
  // thread that never waits, a load that yields every 200 us takes two to three times as long.
  constexpr Clock::duration kOwnTime = std::chrono::microseconds(500);
  thread_local Clock::time_point last = SteadyClock().Now();
  const Clock::time_point now = SteadyClock().Now();
  if (now - last >= kOwnTime) {
    sched_yield();
    last = SteadyClock().Now();
  }
}

std::jthread StartThread(std::string name, std::function<void()> body) {
  return std::jthread([name = std::move(name), body = std::move(body)]() noexcept {
    NameThisThread(name);
    body();
  });
}

std::jthread TryStartThread(std::string name, std::function<void()> body) {
  try {
    return StartThread(std::move(name), std::move(body));
  } catch (const std::system_error&) {
    return {};
  }
}

}  // namespace omserve
