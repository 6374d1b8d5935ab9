// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/timeouts.h"

#include <atomic>

#include "runtime/hostacl/acl_status.h"

namespace omserve::hostacl {
namespace {

// Relaxed in both places: a number that stands alone.
std::atomic<uint32_t>& WaitSeconds() {
  static std::atomic<uint32_t> seconds{0};
  return seconds;
}

}  // namespace

absl::StatusOr<Clock::time_point> DeadlineAfterMs(int32_t timeout_ms) {
  if (timeout_ms == -1) {
    return Clock::time_point::max();
  }
  if (timeout_ms <= 0) {
    return Fail(ACL_ERROR_RT_PARAM_INVALID,
                "timeout of {} ms; expected more than 0, or -1 for ever", timeout_ms);
  }
  return SteadyClock().Now() + std::chrono::milliseconds(timeout_ms);
}

void SetEventWaitTimeout(uint32_t seconds) {
  WaitSeconds().store(seconds, std::memory_order_relaxed);
}

Clock::duration EventWaitTimeout() {
  const uint32_t seconds = WaitSeconds().load(std::memory_order_relaxed);
  return seconds == 0 ? Clock::duration::max() : Clock::duration(std::chrono::seconds(seconds));
}

}  // namespace omserve::hostacl
