// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/load.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory>
#include <random>
#include <utility>

#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"

namespace omserve::bench {
namespace {

// Counts what is under way.
class Pending final {
 public:
  void Add() {
    const MutexLock lock(mu_);
    ++count_;
  }
  void Remove() {
    const MutexLock lock(mu_);
    if (--count_ == 0) {
      none_.NotifyAll();
    }
  }
  void AwaitNone() {
    const MutexLock lock(mu_);
    while (count_ > 0) {
      none_.Wait(mu_);
    }
  }

 private:
  Mutex mu_;
  CondVar none_;
  int count_ ABSL_GUARDED_BY(mu_) = 0;
};

void SleepUntil(scheduler::Instant until) {
  Mutex mu;
  CondVar nobody_notifies;
  const MutexLock lock(mu);
  while (SteadyClock().WaitUntil(nobody_notifies, mu, until)) {
  }
}

class Samples final {
 public:
  void Add(const Sample& sample) {
    const MutexLock lock(mu_);
    samples_.push_back(sample);
  }
  std::vector<Sample> Take() {
    const MutexLock lock(mu_);
    return std::move(samples_);
  }

 private:
  Mutex mu_;
  std::vector<Sample> samples_ ABSL_GUARDED_BY(mu_);
};

}  // namespace

double RunClosedLoop(const Sender& send, int concurrency, int count) {
  Pending pending;
  std::atomic<int> left{count};
  // Whoever is answered sends the next one.
  std::function<void()> next = [&] {
    if (left.fetch_sub(1) <= 0) {
      pending.Remove();
      return;
    }
    send([&](const absl::Status& /*status*/) { next(); });
  };
  const scheduler::Instant start = SteadyClock().Now();
  for (int i = 0; i < concurrency; ++i) {
    pending.Add();
  }
  for (int i = 0; i < concurrency; ++i) {
    next();
  }
  pending.AwaitNone();
  return std::chrono::duration<double>(SteadyClock().Now() - start).count();
}

std::vector<Sample> RunOpenLoop(const std::vector<Stream>& streams,
                                std::chrono::duration<double> duration) {
  struct Next {
    scheduler::Instant at;
    std::mt19937_64 random;
  };
  Samples samples;
  Pending pending;
  const scheduler::Instant start = SteadyClock().Now();
  const auto step = [](const Stream& stream, std::mt19937_64& random) {
    std::exponential_distribution<double> gap(stream.per_second);
    return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(gap(random)));
  };
  std::vector<Next> next;
  for (const Stream& stream : streams) {
    next.push_back({start, std::mt19937_64(stream.seed)});
    next.back().at += step(stream, next.back().random);
  }
  while (true) {
    const auto first = std::min_element(next.begin(), next.end(),
                                        [](const Next& a, const Next& b) { return a.at < b.at; });
    if (first->at >= start + std::chrono::duration_cast<Clock::duration>(duration)) {
      break;
    }
    const Stream& stream = streams[static_cast<size_t>(first - next.begin())];
    const scheduler::Instant due = first->at;
    first->at += step(stream, first->random);
    if (SteadyClock().Now() < due) {
      SleepUntil(due);
    }
    pending.Add();
    stream.send([&samples, &pending, due, kind = stream.kind](const absl::Status& status) {
      samples.Add({.due = due, .end = SteadyClock().Now(), .code = status.code(), .kind = kind});
      pending.Remove();
    });
  }
  pending.AwaitNone();
  return samples.Take();
}

double Quantile(std::vector<double> values, double share) {
  if (values.empty()) {
    return 0;
  }
  const auto rank = static_cast<size_t>(std::ceil(share * static_cast<double>(values.size())));
  const auto at = values.begin() + static_cast<std::ptrdiff_t>(rank == 0 ? 0 : rank - 1);
  std::nth_element(values.begin(), at, values.end());
  return *at;
}

}  // namespace omserve::bench
