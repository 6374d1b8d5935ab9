// SPDX-License-Identifier: Apache-2.0
// How long and how large things may be on a connection of an HTTP port, and who is too slow. Pure.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "runtime/base/clock.h"

namespace omserve::server {

struct HttpLimits {
  size_t max_connections = 16384;            // Further ones are answered 503.
  size_t max_body_bytes = size_t{64} << 20;  // Where the route takes tensors.
  size_t max_handshakes = 1024;              // Of TLS, at a time. Further connections are closed.
  // A connection without a request is closed after this.
  std::chrono::milliseconds idle_timeout{120'000};
  // From the first byte of a header to its last, and for a handshake.
  std::chrono::milliseconds header_timeout{10'000};
  // A body and an answer may take as long as they move: in each `slow_after` at least this many
  // bytes for each of its seconds.
  std::chrono::milliseconds slow_after{20'000};
  int64_t least_bytes_per_second = 1024;
  bool compress_answers = true;  // For clients that take it.
};

// Whether a transfer moves as HttpLimits want it. Counting in windows also notices one that was
// fast and has stopped, which an average would forgive for long.
class TransferPace final {
 public:
  void Start(Clock::time_point now, int64_t moved_bytes = 0) {
    since_ = now;
    moved_bytes_ = moved_bytes;
  }
  // `moved_bytes` are those since the beginning of the transfer.
  bool IsTooSlow(Clock::time_point now, int64_t moved_bytes, const HttpLimits& limits) {
    if (now - since_ < limits.slow_after) {
      return false;
    }
    const int64_t wanted = limits.least_bytes_per_second * limits.slow_after.count() / 1000;
    const bool is_slow = moved_bytes - moved_bytes_ < wanted;
    Start(now, moved_bytes);
    return is_slow;
  }
  // Whether IsTooSlow would look at the bytes by now.
  bool IsDue(Clock::time_point now, const HttpLimits& limits) const {
    return now - since_ >= limits.slow_after;
  }

 private:
  Clock::time_point since_;
  int64_t moved_bytes_ = 0;
};

}  // namespace omserve::server
