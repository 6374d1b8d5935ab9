// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/shared_cores.h"

#include <algorithm>
#include <cmath>

#include "runtime/base/check.h"

namespace omserve::hostacl {

double SharedCores::Slowdown() const {
  return std::max(1.0, static_cast<double>(wanted_) / static_cast<double>(cores_));
}

double SharedCores::NextEnd() const {
  return elapsed_ + (jobs_.begin()->first.first - service_) * Slowdown();
}

Clock::time_point SharedCores::At(double elapsed) const {
  return idle_until_ + Clock::duration(static_cast<Clock::duration::rep>(std::ceil(elapsed)));
}

void SharedCores::Advance(Clock::time_point now) {
  const double target = static_cast<double>((now - idle_until_).count());
  // Every end changes the rate of those that stay, so time goes from end to end.
  while (!jobs_.empty() && NextEnd() <= target) {
    const auto first = jobs_.begin();
    elapsed_ = NextEnd();
    service_ = first->first.first;
    wanted_ -= first->second;
    finished_.push_back({first->first.second, At(elapsed_)});
    jobs_.erase(first);
  }
  if (target > elapsed_) {
    service_ += (target - elapsed_) / Slowdown();
    elapsed_ = target;
  }
  if (jobs_.empty()) {
    idle_until_ = std::max(now, At(elapsed_));
    elapsed_ = 0;
    service_ = 0;
  }
}

SharedCores::JobId SharedCores::Add(Clock::time_point now, uint32_t cores, Clock::duration work) {
  OMSERVE_CHECK(cores > 0 && work >= Clock::duration::zero(),
                "a job wants cores, and time is sane");
  Advance(now);
  const JobId job = ++last_job_;
  jobs_.emplace(Key(service_ + static_cast<double>(work.count()), job), cores);
  wanted_ += cores;
  return job;
}

void SharedCores::Remove(Clock::time_point now, JobId job) {
  Advance(now);
  const auto found = std::find_if(jobs_.begin(), jobs_.end(),
                                  [job](const auto& entry) { return entry.first.second == job; });
  if (found != jobs_.end()) {
    wanted_ -= found->second;
    jobs_.erase(found);
  }
}

std::vector<SharedCores::Finish> SharedCores::TakeFinished(Clock::time_point now) {
  Advance(now);
  return std::exchange(finished_, {});
}

std::optional<Clock::time_point> SharedCores::NextFinish() const {
  if (jobs_.empty()) {
    return std::nullopt;
  }
  return At(NextEnd());
}

}  // namespace omserve::hostacl
