// SPDX-License-Identifier: Apache-2.0
// The load of a benchmark as a person writes it, and when its requests are due. Pure.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/base/clock.h"

namespace omserve::bench {

// "8", "1,2,8", "1:32:x2" (1, 2, 4, ... up to 32) or "500:2000:500" (in steps; without a step by
// 1). Values ascend as written, are positive and at most 1000. kInvalidArgument saying what is
// wrong.
absl::StatusOr<std::vector<double>> ParseSweep(const std::string& text);

// The same where only whole numbers make sense.
absl::StatusOr<std::vector<int>> ParseCountSweep(const std::string& text);

// "250us", "1.5ms", "2s", "1m". kInvalidArgument for anything else, and for less than 1 ns.
absl::StatusOr<Clock::duration> ParseDuration(const std::string& text);

enum class Arrivals { kPoisson, kConstant };
// "poisson" or "constant".
absl::StatusOr<Arrivals> ParseArrivals(const std::string& text);

// When requests are due, as times since the start. The same seed gives the same times everywhere.
class ArrivalSchedule final {
 public:
  // `rate` per second, above 0.
  ArrivalSchedule(double rate, Arrivals arrivals, uint64_t seed)
      : rate_(rate), arrivals_(arrivals), random_(seed) {}

  // Never less than the one before. The first of kConstant is 0.
  Clock::duration Next();

 private:
  const double rate_;
  const Arrivals arrivals_;
  std::mt19937_64 random_;
  uint64_t count_ = 0;
  double seconds_ = 0;
};

}  // namespace omserve::bench
