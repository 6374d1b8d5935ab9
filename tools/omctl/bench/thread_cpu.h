// SPDX-License-Identifier: Apache-2.0
// The CPU time that threads and this process have used.
#pragma once

#include <pthread.h>
#include <time.h>

#include <thread>

#include "runtime/base/clock.h"

namespace omserve::bench {

inline Clock::duration CpuTime(clockid_t clock) {
  timespec time{};
  return clock_gettime(clock, &time) == 0
             ? Clock::duration(std::chrono::seconds(time.tv_sec)) + Clock::duration(time.tv_nsec)
             : Clock::duration::zero();
}

inline Clock::duration ProcessCpu() { return CpuTime(CLOCK_PROCESS_CPUTIME_ID); }

// Of a thread that has not been joined.
inline Clock::duration ThreadCpuTime(std::jthread& thread) {
  clockid_t clock{};
  return pthread_getcpuclockid(thread.native_handle(), &clock) == 0 ? CpuTime(clock)
                                                                    : Clock::duration::zero();
}

}  // namespace omserve::bench
