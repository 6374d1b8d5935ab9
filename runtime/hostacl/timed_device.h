// SPDX-License-Identifier: Apache-2.0
// What passes on the clock of one device where the timed engine runs.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

#include "runtime/hostacl/clocked_cores.h"
#include "runtime/hostacl/timed_settings.h"

namespace omserve::hostacl {

// Thread-safe.
class TimedDevice final {
 public:
  TimedDevice(uint32_t core_count, const TimedSettings& settings)
      : cores(core_count),
        bytes_per_us_(settings.copy_bytes_per_us),
        latency_(std::chrono::microseconds(settings.copy_latency_us)) {}

  bool copies_cost() const { return bytes_per_us_ > 0 || latency_ > Clock::duration::zero(); }
  // Of one copy that has the link to itself.
  Clock::duration CopyCost(size_t size_bytes) const {
    if (bytes_per_us_ == 0) {
      return latency_;
    }
    const std::chrono::duration<double, std::micro> transfer(static_cast<double>(size_bytes) /
                                                             static_cast<double>(bytes_per_us_));
    return latency_ + std::chrono::duration_cast<Clock::duration>(transfer);
  }

  ClockedCores cores;
  // Copies of one direction share its link; the two directions do not disturb each other.
  ClockedCores to_device{1};
  ClockedCores to_host{1};

 private:
  const int64_t bytes_per_us_;
  const Clock::duration latency_;
};

}  // namespace omserve::hostacl
