// SPDX-License-Identifier: Apache-2.0
// Timeouts of the C interface as deadlines.
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "runtime/base/clock.h"

namespace omserve::hostacl {

// `timeout_ms` from now; -1 is for ever. ACL_ERROR_RT_PARAM_INVALID for 0 and other negatives.
absl::StatusOr<Clock::time_point> DeadlineAfterMs(int32_t timeout_ms);

// aclrtSetOpWaitTimeout: how long waits for events that are made from now on may take.
// Process-wide, seconds, 0 for ever.
void SetEventWaitTimeout(uint32_t seconds);
Clock::duration EventWaitTimeout();

}  // namespace omserve::hostacl
