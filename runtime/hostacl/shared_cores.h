// SPDX-License-Identifier: Apache-2.0
// Cores that running jobs share, as arithmetic: who is done when. Holds no clock, thread or lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/base/clock.h"

namespace omserve::hostacl {

// Processor sharing. A job wants some cores and brings work: the time it takes while it has all of
// them. While all running jobs together want more than there is, every one of them advances at the
// same rate, cores / wanted; else at rate 1. What is done when follows from the jobs alone, not
// from how often or how late somebody asks. Thread-compatible.
//
// Invariants: 1. time never goes back: an earlier `now` counts as the latest one; 2. a job is
// reported done once, at an instant that is not before the exact one by more than its rounding to
// nanoseconds.
class SharedCores final {
 public:
  using JobId = uint64_t;
  struct Finish {
    JobId job = 0;
    Clock::time_point at;

    bool operator==(const Finish&) const = default;
  };

  // Requires cores > 0.
  explicit SharedCores(uint32_t cores) : cores_(cores) {}

  // Starts a job. A job that wants more than there is slows itself down. Requires cores > 0 and
  // work >= 0.
  JobId Add(Clock::time_point now, uint32_t cores, Clock::duration work);
  // Takes a job away before it is done. Does nothing when it is done or was never there.
  void Remove(Clock::time_point now, JobId job);
  // The jobs that were done by `now` and not reported yet, in the order of their ends.
  std::vector<Finish> TakeFinished(Clock::time_point now);

  // When the next running job is done if nothing changes; nullopt when none runs.
  std::optional<Clock::time_point> NextFinish() const;
  // What the running jobs want together, which may be more than there is.
  uint64_t wanted() const { return wanted_; }
  uint32_t cores() const { return cores_; }

 private:
  // All jobs advance at one rate, so one number says how far each is: `service_` counts the work
  // that a job would have got since the cores were last idle, and a job ends where that reaches
  // what it was at the start plus the job's own work.
  using Key = std::pair<double, JobId>;  // `service_` at the end; the id keeps keys apart.

  void Advance(Clock::time_point now);
  // Nanoseconds since `idle_until_` at which the first of `jobs_` ends.
  double NextEnd() const;
  double Slowdown() const;
  Clock::time_point At(double elapsed) const;

  const uint32_t cores_;
  JobId last_job_ = 0;
  uint64_t wanted_ = 0;
  std::map<Key, uint32_t> jobs_;  // To the cores that each wants.
  std::vector<Finish> finished_;

  // Nanoseconds as doubles: ends fall between whole ones. They start anew whenever the cores are
  // idle; after a day without a pause they are still exact to a sixtieth of a nanosecond.
  Clock::time_point idle_until_;
  double elapsed_ = 0;
  double service_ = 0;
};

}  // namespace omserve::hostacl
