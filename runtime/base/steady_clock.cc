// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/clock.h"

namespace omserve {
namespace {

class RealClock final : public Clock {
 public:
  time_point Now() const override { return std::chrono::steady_clock::now(); }
  bool WaitUntil(CondVar& cv, Mutex& mu, time_point deadline) override
      ABSL_NO_THREAD_SAFETY_ANALYSIS {  // The caller holds `mu`; an override cannot say so.
    if (deadline == time_point::max()) {
      cv.Wait(mu);
      return true;
    }
    return cv.WaitUntilSteady(mu, deadline);
  }
};

}  // namespace

Clock& SteadyClock() {
  static RealClock clock;
  return clock;
}

}  // namespace omserve
