// SPDX-License-Identifier: Apache-2.0
// Jobs on shared cores: cases computed by hand, and a simulation in small steps.
#include "runtime/hostacl/shared_cores.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <random>

namespace omserve::hostacl {
namespace {

using std::chrono::microseconds;
using std::chrono::nanoseconds;

// Instants are written as microseconds after this one.
const Clock::time_point kStart{std::chrono::hours(5)};
Clock::time_point At(double us) { return kStart + nanoseconds(static_cast<int64_t>(us * 1000)); }

std::vector<SharedCores::Finish> After(SharedCores& cores, double us) {
  return cores.TakeFinished(At(us));
}

using Ends = std::vector<SharedCores::Finish>;

// A job alone takes its work.
TEST_CASE("A job alone takes its time") {
  SharedCores cores(2);
  CHECK_FALSE(cores.NextFinish().has_value());
  const auto job = cores.Add(At(10), 1, microseconds(100));
  CHECK(cores.wanted() == 1);
  CHECK(cores.NextFinish() == At(110));
  CHECK(After(cores, 109.999).empty());
  CHECK(After(cores, 110) == Ends{{job, At(110)}});
  CHECK(After(cores, 200).empty());
  CHECK(cores.wanted() == 0);
}

// As many jobs as there are cores do not slow each other down; one more slows all of them.
TEST_CASE("Jobs share what is there") {
  SharedCores cores(2);
  const auto a = cores.Add(At(0), 1, microseconds(100));
  const auto b = cores.Add(At(0), 1, microseconds(100));
  CHECK(cores.NextFinish() == At(100));
  // From 40 on three share two cores: 60 of work take 90.
  const auto c = cores.Add(At(40), 1, microseconds(60));
  CHECK(cores.NextFinish() == At(130));
  CHECK(After(cores, 130) == Ends{{a, At(130)}, {b, At(130)}, {c, At(130)}});
}

// A job that ends gives its share to the rest, at the instant when it ends and not when somebody
// looks: a has 50 left at 100 and gets a whole core from then on.
TEST_CASE("An end speeds the others up") {
  SharedCores cores(1);
  const auto a = cores.Add(At(0), 1, microseconds(100));
  const auto b = cores.Add(At(0), 1, microseconds(50));
  CHECK(After(cores, 1000) == Ends{{b, At(100)}, {a, At(150)}});
}

// A job of two cores and one of one core on two: together they want 3, so each goes at 2/3.
TEST_CASE("A job of several cores weighs more") {
  SharedCores cores(2);
  const auto wide = cores.Add(At(0), 2, microseconds(100));
  CHECK(cores.NextFinish() == At(100));
  const auto narrow = cores.Add(At(30), 1, microseconds(20));
  CHECK(cores.wanted() == 3);
  CHECK(cores.NextFinish() == At(60));
  // The wide one has got 30 and then 20 at 60; the last 50 run at full rate.
  CHECK(After(cores, 500) == Ends{{narrow, At(60)}, {wide, At(110)}});
}

// A job that is taken away is never reported and frees its share.
TEST_CASE("A job can be taken away") {
  SharedCores cores(1);
  const auto a = cores.Add(At(0), 1, microseconds(100));
  const auto b = cores.Add(At(0), 1, microseconds(100));
  cores.Remove(At(100), b);
  CHECK(cores.NextFinish() == At(150));
  cores.Remove(At(100), b);
  cores.Remove(At(100), 12345);
  CHECK(After(cores, 150) == Ends{{a, At(150)}});
  cores.Remove(At(150), a);
  CHECK(cores.wanted() == 0);
}

// Work of nothing is done at once; a clock that stands or goes back changes nothing.
TEST_CASE("No work and no time") {
  SharedCores cores(1);
  const auto a = cores.Add(At(5), 1, microseconds(0));
  CHECK(After(cores, 5) == Ends{{a, At(5)}});
  const auto b = cores.Add(At(10), 1, microseconds(10));
  CHECK(After(cores, 3).empty());
  CHECK(cores.NextFinish() == At(20));
  CHECK(After(cores, 20) == Ends{{b, At(20)}});
}

// A third of a nanosecond is not lost: three jobs on one core, 1 ns each, end after 3 ns together;
// four on three cores after 1.33, which is the second nanosecond.
TEST_CASE("Ends are rounded up to nanoseconds") {
  SharedCores one(1);
  SharedCores three(3);
  for (int i = 0; i < 3; ++i) {
    one.Add(At(0), 1, nanoseconds(1));
  }
  for (int i = 0; i < 4; ++i) {
    three.Add(At(0), 1, nanoseconds(1));
  }
  CHECK(one.NextFinish() == At(0.003));
  CHECK(three.NextFinish() == At(0.002));
}

// The same by brute force: every step of 1/64 us each job advances by its share.
class StepwiseCores final {
 public:
  explicit StepwiseCores(uint32_t cores) : cores_(cores) {}

  void Add(SharedCores::JobId job, uint32_t cores, double work_us) {
    jobs_.push_back({job, static_cast<double>(cores), work_us});
  }
  void Remove(SharedCores::JobId job) {
    std::erase_if(jobs_, [job](const Job& one) { return one.id == job; });
  }
  // Jobs that end on the way, with the end of the step in which they do.
  std::vector<std::pair<SharedCores::JobId, double>> Run(double from_us, double to_us) {
    std::vector<std::pair<SharedCores::JobId, double>> ends;
    for (double now = from_us; now < to_us; now += kStepUs) {
      double wanted = 0;
      for (const Job& job : jobs_) {
        wanted += job.cores;
      }
      const double rate = std::min(1.0, cores_ / std::max(wanted, 1.0));
      for (Job& job : jobs_) {
        job.left_us -= kStepUs * rate;
        if (job.left_us <= 1e-9) {
          ends.emplace_back(job.id, now + kStepUs);
        }
      }
      std::erase_if(jobs_, [](const Job& job) { return job.left_us <= 1e-9; });
    }
    return ends;
  }

  static constexpr double kStepUs = 1.0 / 64;

 private:
  struct Job {
    SharedCores::JobId id;
    double cores;
    double left_us;
  };
  const double cores_;
  std::vector<Job> jobs_;
};

// Random jobs arrive, some are taken away, and somebody looks at random instants: every end is
// where the simulation has it, to its step for each change of the rate on the way.
TEST_CASE("Ends are those of a simulation") {
  for (uint32_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto below = [&random](uint32_t limit) {
      return static_cast<uint32_t>(random() % limit);
    };
    const uint32_t core_count = 1 + below(4);
    SharedCores cores(core_count);
    StepwiseCores stepwise(core_count);
    std::vector<std::pair<SharedCores::JobId, double>> expected;
    std::vector<SharedCores::Finish> actual;
    std::vector<SharedCores::JobId> jobs;
    double now = 0;
    for (int i = 0; i < 60; ++i) {
      const double next = now + below(40);
      const auto ends = stepwise.Run(now, next);
      expected.insert(expected.end(), ends.begin(), ends.end());
      now = next;
      if (below(8) == 0 && !jobs.empty()) {
        const SharedCores::JobId job = jobs[below(static_cast<uint32_t>(jobs.size()))];
        cores.Remove(At(now), job);
        stepwise.Remove(job);
      } else {
        const uint32_t wants = 1 + below(core_count);
        const uint32_t work_us = 1 + below(60);
        jobs.push_back(cores.Add(At(now), wants, microseconds(work_us)));
        stepwise.Add(jobs.back(), wants, work_us);
      }
      if (below(3) == 0) {
        const auto taken = After(cores, now);
        actual.insert(actual.end(), taken.begin(), taken.end());
      }
    }
    const auto ends = stepwise.Run(now, now + 10'000);
    expected.insert(expected.end(), ends.begin(), ends.end());
    const auto rest = After(cores, now + 10'000);
    actual.insert(actual.end(), rest.begin(), rest.end());

    REQUIRE(std::is_sorted(actual.begin(), actual.end(),
                           [](const auto& a, const auto& b) { return a.at < b.at; }));
    REQUIRE(actual.size() == expected.size());
    for (const auto& [job, end_us] : expected) {
      const auto found = std::find_if(actual.begin(), actual.end(),
                                      [id = job](const auto& end) { return end.job == id; });
      REQUIRE(found != actual.end());
      const double at_us = std::chrono::duration<double, std::micro>(found->at - kStart).count();
      CHECK(at_us == Approx(end_us).margin(StepwiseCores::kStepUs * 20));
    }
    CHECK(cores.wanted() == 0);
  }
}

}  // namespace
}  // namespace omserve::hostacl
