// SPDX-License-Identifier: Apache-2.0
// Which requests are traced: the settings of tracing, and how far they have been used up.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>

#include "runtime/base/mutex.h"
#include "server/core/tracing/trace_settings.h"

namespace omserve::server {

// Thread-safe.
class TraceSampler final {
 public:
  explicit TraceSampler(const TraceSettings& start) : start_(start), server_(start) {
    is_on_.store(start.level.is_on(), std::memory_order_relaxed);
  }

  // Whether any request may be traced: else Sample says no to all. Without a lock.
  bool is_on() const { return is_on_.load(std::memory_order_relaxed); }

  struct Sample {
    bool traced = false;
    bool tensors = false;
    uint32_t log_frequency = 0;
  };
  // Whether the next request to `model` is traced. `by_client`: whether its client traces it, where
  // it has told; then that decides, and else trace_rate. No more than trace_count in any case.
  Sample Next(const std::string& model, std::optional<bool> by_client) ABSL_LOCKS_EXCLUDED(mu_);

  // Of `model`; empty: of the server. What a change takes back follows the server, or the start.
  TraceSettings Get(const std::string& model) const ABSL_LOCKS_EXCLUDED(mu_);
  void Change(const std::string& model, const TraceChange& change) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // What was set for a model alone.
  struct Own {
    std::optional<TraceLevel> level;
    std::optional<uint32_t> rate;
    std::optional<int32_t> count;
    std::optional<uint32_t> log_frequency;
    uint64_t requests = 0;  // Since then, that the rate decided on.

    bool empty() const {
      return !level.has_value() && !rate.has_value() && !count.has_value() &&
             !log_frequency.has_value();
    }
  };

  // Constant after construction.
  const TraceSettings start_;

  std::atomic<bool> is_on_;  // Relaxed: a change may show a little later.

  mutable Mutex mu_;
  TraceSettings server_ ABSL_GUARDED_BY(mu_);
  uint64_t requests_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<std::string, Own> models_ ABSL_GUARDED_BY(mu_);
};

}  // namespace omserve::server
