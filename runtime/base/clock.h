// SPDX-License-Identifier: Apache-2.0
// Time is a collaborator, handed in: the scheduler and its tests never ask the machine for it.
#pragma once

#include <chrono>

#include "runtime/base/mutex.h"

namespace omserve {

// Thread-safe.
class Clock {
 public:
  // The instants of the steady clock, so that real ones need no conversion.
  using time_point = std::chrono::steady_clock::time_point;
  using duration = std::chrono::nanoseconds;

  virtual ~Clock() = default;
  virtual time_point Now() const = 0;
  // Waits on `cv` until notified or until `deadline` (time_point::max() = for ever). False when the
  // deadline has passed. Spurious wake-ups happen.
  virtual bool WaitUntil(CondVar& cv, Mutex& mu, time_point deadline) = 0;
};

// The machine's clock. Never destroyed before main returns; stateless.
Clock& SteadyClock();

}  // namespace omserve
