// SPDX-License-Identifier: Apache-2.0
// Counts the allocations of a benchmark program that links allocation_count.cc.
#pragma once

#include <cstddef>

namespace omserve {

// Calls of operator new by this thread so far.
size_t AllocationCount();

}  // namespace omserve
