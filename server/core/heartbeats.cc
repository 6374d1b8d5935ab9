// SPDX-License-Identifier: Apache-2.0
#include "server/core/heartbeats.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "runtime/base/log.h"
#include "runtime/base/thread.h"

namespace omserve::server {

Heartbeats::Heartbeats(Clock& clock, const Options& options,
                       std::function<void(const std::string&)> on_change)
    : clock_(clock),
      options_(options),
      most_missed_(std::max<int64_t>(
          1, (options.limit.count() + options.interval.count() - 1) / options.interval.count())),
      on_change_(std::move(on_change)) {}

void Heartbeats::Add(std::string name, Ask ask) {
  {
    const MutexLock lock(mu_);
    loops_.push_back({.name = name});
  }
  asked_.push_back({.name = std::move(name), .ask = std::move(ask)});
}

void Heartbeats::Start() {
  thread_ = StartThread("heartbeats", [this] { Run(); });
}

void Heartbeats::Stop() {
  {
    const MutexLock lock(mu_);
    stop_ = true;
    wake_.NotifyAll();
  }
  if (thread_.joinable()) {
    thread_.join();
  }
}

std::vector<Heartbeats::Loop> Heartbeats::Loops() const {
  const MutexLock lock(mu_);
  return loops_;
}

void Heartbeats::Run() {
  while (true) {
    AskAll();
    const Clock::time_point next = clock_.Now() + options_.interval;
    const MutexLock lock(mu_);
    while (!stop_ && clock_.WaitUntil(wake_, mu_, next)) {
    }
    if (stop_) {
      return;
    }
  }
}

void Heartbeats::AskAll() {
  std::vector<Loop> loops;
  std::string names;
  size_t count = 0;
  for (Asked& loop : asked_) {
    if (loop.answered->exchange(false)) {
      loop.missed = 0;
      loop.ask([answered = loop.answered] { answered->store(true); });
    } else {
      ++loop.missed;
    }
    const bool is_stuck = loop.missed >= most_missed_;
    loops.push_back({.name = loop.name, .is_stuck = is_stuck});
    if (is_stuck) {
      names += (count++ == 0 ? "" : " and ") + loop.name;
    }
  }
  {
    const MutexLock lock(mu_);
    loops_ = std::move(loops);
  }
  std::string stuck;
  if (count > 0) {
    stuck = fmt::format("{} {} not turned for more than {} ms", names, count == 1 ? "has" : "have",
                        options_.limit.count());
  }
  if (stuck == stuck_) {
    return;
  }
  if (stuck.empty()) {
    OMSERVE_LOG(kWarning, "health", "all loops turn again");
  } else {
    OMSERVE_LOG(kError, "health", "{}", stuck);
  }
  stuck_ = stuck;
  on_change_(stuck);
}

}  // namespace omserve::server
