// SPDX-License-Identifier: Apache-2.0
// What the scheduler's parts call requests, batches and instants.
#pragma once

#include <cstdint>

#include "runtime/base/clock.h"

namespace omserve::scheduler {

using RequestId = uint64_t;  // Never used twice.
using BatchId = uint64_t;
using Instant = Clock::time_point;

}  // namespace omserve::scheduler
