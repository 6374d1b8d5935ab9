// SPDX-License-Identifier: Apache-2.0
#include "server/core/returning_models.h"

#include <algorithm>
#include <utility>

#include "runtime/base/thread.h"

namespace omserve::server {
namespace {

constexpr size_t kMostWaiting = 1024;
constexpr size_t kMostBytes = size_t{256} << 20;  // Of all of their requests.

}  // namespace

ReturningModels::ReturningModels(const Catalog& catalog, ModelRepository& repository, Clock& clock,
                                 Clock::duration longest)
    : catalog_(catalog), repository_(repository), clock_(clock), longest_(longest) {
  thread_ = StartThread("returning", [this] { Run(); });
}

ReturningModels::~ReturningModels() { Stop(); }

bool ReturningModels::HasRoom(size_t size_bytes) const {
  const MutexLock lock(mu_);
  return HasRoomLocked(size_bytes);
}

bool ReturningModels::HasRoomLocked(size_t size_bytes) const {
  size_t bytes = size_bytes;
  for (const Waiting& waiting : waiting_) {
    bytes += waiting.size_bytes;
  }
  return !stop_ && waiting_.size() < kMostWaiting && bytes <= kMostBytes;
}

bool ReturningModels::Await(const absl::Status& refused, const std::string& model,
                            size_t size_bytes, Clock::time_point until,
                            std::function<void()> then) {
  if (refused.code() != absl::StatusCode::kUnavailable || longest_ == Clock::duration::zero()) {
    return false;
  }
  const Clock::time_point now = clock_.Now();
  if (until <= now || !catalog_.IsParked(model)) {
    return false;
  }
  bool is_first = false;
  {
    const MutexLock lock(mu_);
    if (!HasRoomLocked(size_bytes)) {
      return false;
    }
    waiting_.push_back({.model = model,
                        .size_bytes = size_bytes,
                        .until = std::min(until, now + longest_),
                        .then = std::move(then)});
    is_first = coming_.insert(model).second;
    changed_.NotifyAll();
  }
  if (is_first) {
    repository_.Bring(model, [this, model](const absl::Status& /*its line tells*/) {
      const MutexLock lock(mu_);
      coming_.erase(model);
      // Not those that come from now on: they wait for the next load.
      for (Waiting& waiting : waiting_) {
        waiting.is_settled = waiting.is_settled || waiting.model == model;
      }
      changed_.NotifyAll();
    });
  }
  return true;
}

void ReturningModels::Stop() {
  {
    const MutexLock lock(mu_);
    stop_ = true;
    changed_.NotifyAll();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
}

Clock::time_point ReturningModels::NextEnd() const {
  Clock::time_point next = Clock::time_point::max();
  for (const Waiting& waiting : waiting_) {
    next = std::min(next, waiting.is_settled ? Clock::time_point::min() : waiting.until);
  }
  return next;
}

std::vector<ReturningModels::Waiting> ReturningModels::TakeDue(Clock::time_point now) {
  std::vector<Waiting> due;
  std::vector<Waiting> others;
  for (Waiting& waiting : waiting_) {
    const bool is_over = stop_ || waiting.until <= now || waiting.is_settled;
    (is_over ? due : others).push_back(std::move(waiting));
  }
  waiting_ = std::move(others);
  return due;
}

void ReturningModels::Run() {
  bool stops = false;
  while (!stops) {
    std::vector<Waiting> due;
    {
      const MutexLock lock(mu_);
      while (!stop_ && clock_.Now() < NextEnd()) {
        clock_.WaitUntil(changed_, mu_, NextEnd());
      }
      stops = stop_;
      due = TakeDue(clock_.Now());
    }
    for (const Waiting& waiting : due) {
      waiting.then();
    }
  }
}

}  // namespace omserve::server
