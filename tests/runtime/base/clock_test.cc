// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/clock.h"

#include <pthread.h>

#include <array>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "runtime/base/mutex.h"
#include "runtime/base/thread.h"

namespace omserve {
namespace {

using std::chrono::milliseconds;

struct Gate {
  Mutex mu;
  CondVar cv;
  bool open ABSL_GUARDED_BY(mu) = false;
};

// The steady clock does not run backwards.
TEST_CASE("The steady clock is monotonic") {
  const Clock::time_point first = SteadyClock().Now();
  CHECK(SteadyClock().Now() >= first);
}

// A deadline in the past returns false at once, with the mutex held again.
TEST_CASE("Waiting until a time in the past does not wait") {
  Gate gate;
  MutexLock lock(gate.mu);
  CHECK_FALSE(SteadyClock().WaitUntil(gate.cv, gate.mu, Clock::time_point::min()));
  CHECK_FALSE(gate.open);
}

// Nobody notifies, so the wait ends at its deadline and not before.
TEST_CASE("Waiting ends at the deadline") {
  Gate gate;
  const Clock::time_point deadline = SteadyClock().Now() + milliseconds(5);
  MutexLock lock(gate.mu);
  while (SteadyClock().WaitUntil(gate.cv, gate.mu, deadline)) {
  }
  CHECK(SteadyClock().Now() >= deadline);
}

// A waiter without a deadline leaves when another thread opens the gate and notifies.
TEST_CASE("A notification ends a wait without a deadline") {
  Gate gate;
  const std::jthread opener = StartThread("opener", [&gate] {
    MutexLock lock(gate.mu);
    gate.open = true;
    gate.cv.NotifyAll();
  });
  MutexLock lock(gate.mu);
  while (!gate.open) {
    CHECK(SteadyClock().WaitUntil(gate.cv, gate.mu, Clock::time_point::max()));
  }
  CHECK(gate.open);
}

// Counting under the mutex from several threads loses nothing.
TEST_CASE("The mutex excludes") {
  Mutex mu;
  int count = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.push_back(StartThread("counter", [&mu, &count] {
        for (int i = 0; i < 1000; ++i) {
          MutexLock lock(mu);
          ++count;
        }
      }));
    }
  }
  CHECK(count == 4000);
}

// A name longer than the kernel takes is cut rather than lost.
TEST_CASE("Threads are named, and long names are cut") {
  std::array<char, 16> name{};
  StartThread("omserve-a-very-long-name", [&name] {
    pthread_getname_np(pthread_self(), name.data(), name.size());
  }).join();
  CHECK(std::string(name.data()) == "omserve-a-very-");
}

}  // namespace
}  // namespace omserve
