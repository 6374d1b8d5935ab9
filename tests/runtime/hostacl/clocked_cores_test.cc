// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/clocked_cores.h"

#include <catch2/catch.hpp>
#include <chrono>
#include <ctime>
#include <latch>
#include <optional>
#include <thread>
#include <vector>

namespace omserve::hostacl {
namespace {

using std::chrono::milliseconds;

double MsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(SteadyClock().Now() - start).count();
}

// Of all threads of this process.
double CpuMs() {
  timespec used{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e3 + static_cast<double>(used.tv_nsec) / 1e6;
}

// Starts all jobs at once, a thread each, and gives when each was done, in ms. Ends are never
// early; how late they are is what a busy machine takes to wake a thread, so upper bounds are wide.
std::vector<double> RunTogether(ClockedCores& cores, uint32_t wanted,
                                const std::vector<int>& works_ms) {
  std::vector<double> ends(works_ms.size());
  std::latch ready(static_cast<std::ptrdiff_t>(works_ms.size()));
  std::vector<std::jthread> threads;
  for (size_t i = 0; i < works_ms.size(); ++i) {
    threads.emplace_back([&, i] {
      ready.arrive_and_wait();
      const Clock::time_point start = SteadyClock().Now();
      ClockedCores::Stay stay(cores, wanted, milliseconds(works_ms[i]));
      stay.Await();
      ends[i] = MsSince(start);
    });
  }
  threads.clear();
  return ends;
}

// A job alone takes its time and no less.
TEST_CASE("A stay takes its time") {
  ClockedCores cores(1);
  const std::vector<double> ends = RunTogether(cores, 1, {20});
  CHECK(ends[0] >= 20);
  CHECK(ends[0] < 500);
}

// Jobs on cores of their own do not slow each other down; on one core they share it: 100 and
// 200 ms end at 200 and 300.
TEST_CASE("Stays share the cores") {
  ClockedCores two(2);
  const std::vector<double> apart = RunTogether(two, 1, {100, 200});
  CHECK(apart[0] >= 100);
  CHECK(apart[0] < 195);
  CHECK(apart[1] >= 200);
  CHECK(apart[1] < 295);
  ClockedCores one(1);
  const std::vector<double> shared = RunTogether(one, 1, {100, 200});
  // The threads do not start at the very same instant.
  CHECK(shared[0] >= 150);
  CHECK(shared[1] >= 250);
  CHECK(shared[1] < 800);
}

// Sixteen jobs wait together and the processor has nothing to do.
TEST_CASE("Waiting takes no processor") {
  ClockedCores cores(4);
  const double before = CpuMs();
  const std::vector<double> ends = RunTogether(cores, 1, std::vector<int>(16, 50));
  for (const double end : ends) {
    CHECK(end >= 150);  // 200, less what the threads start apart.
  }
  CHECK(CpuMs() - before < 50);
}

// A stay that is not awaited leaves its share to the others.
TEST_CASE("A stay can end early") {
  ClockedCores cores(1);
  const Clock::time_point start = SteadyClock().Now();
  ClockedCores::Stay stay(cores, 1, milliseconds(20));
  {
    const ClockedCores::Stay hour(cores, 1, std::chrono::hours(1));
    CHECK(cores.busy_percent() == 100);
  }
  stay.Await();
  CHECK(MsSince(start) < 500);
  CHECK(cores.busy_percent() == 0);
}

// The one who sleeps for all leaves first, by the end of a shorter job that came later; those that
// stay are still woken.
TEST_CASE("The rest is woken when the sleeper leaves") {
  ClockedCores cores(8);
  const std::vector<double> ends = RunTogether(cores, 1, {60, 10, 50, 20, 40, 30});
  const std::vector<double> works = {60, 10, 50, 20, 40, 30};
  for (size_t i = 0; i < works.size(); ++i) {
    CHECK(ends[i] >= works[i]);
    CHECK(ends[i] < works[i] + 400);
  }
}

}  // namespace
}  // namespace omserve::hostacl
