// SPDX-License-Identifier: Apache-2.0
// Brings models from their sources into the repositories from time to time, each on a thread of its
// own.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <random>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "proto/omserve/server_config.pb.h"
#include "runtime/base/clock.h"
#include "runtime/base/mutex.h"

namespace omserve::server {

// Of one source. Count by themselves, of which none says anything about another.
struct SourceCounters {
  std::string url;
  std::string folder;
  std::atomic<uint64_t> bytes{0};  // That came, also of files that were not taken.
  std::atomic<uint64_t> files{0};  // That became visible.
  std::atomic<uint64_t> versions{0};
  std::atomic<uint64_t> removed{0};  // Versions, models and files.
  std::atomic<uint64_t> failures{0};
  std::atomic<int64_t> last_success_ms{0};  // Since the epoch; 0: never.
};

// When a source is asked again that has failed so many times one after the other, 1 or more: after
// a second, and twice as long each time, but no longer than `every` or five minutes; a quarter more
// or less by `jitter`, 0 to 1, so that a fleet does not come back together. Pure.
Clock::duration RetryAfter(int failures, Clock::duration every, double jitter);

// Thread-safe.
class SourceFetcher final {
 public:
  // Null where there are no sources. Asks nobody. Errors: kInvalidArgument and kNotFound, with the
  // place in the settings. `clock` outlives the result.
  static absl::StatusOr<std::unique_ptr<SourceFetcher>> Make(
      const ServerConfig& config, Clock& clock, std::function<std::chrono::milliseconds()> wall);
  SourceFetcher(const SourceFetcher&) = delete;
  SourceFetcher& operator=(const SourceFetcher&) = delete;
  ~SourceFetcher();

  // Called once.
  void Start();
  // Until every source has answered once, or failed to, and what it has is there. False: not by
  // `deadline`.
  bool AwaitFirst(Clock::time_point deadline) ABSL_LOCKS_EXCLUDED(mu_);
  // Cuts a transfer, which is gone on with at the next start. Joins the threads. Idempotent.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

  // Of the sources in the order of the settings; each lives as long as this.
  std::vector<const SourceCounters*> counters() const;

 private:
  struct Feed;

  SourceFetcher(Clock& clock, std::function<std::chrono::milliseconds()> wall, int niceness);
  void Run(Feed& feed) ABSL_LOCKS_EXCLUDED(mu_);
  void Sync(Feed& feed);

  Clock& clock_;
  const std::function<std::chrono::milliseconds()> wall_;
  const int niceness_;
  std::vector<std::unique_ptr<Feed>> feeds_;  // Constant after Make.
  std::stop_source stop_;                     // Synchronises itself.

  Mutex mu_;
  CondVar changed_;
  size_t asked_once_ ABSL_GUARDED_BY(mu_) = 0;
  // One for each source, so that none waits for a slow one. Last: joined before what they use goes.
  std::vector<std::jthread> threads_;
};

}  // namespace omserve::server
