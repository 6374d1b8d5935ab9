// SPDX-License-Identifier: Apache-2.0
// Counts the allocations of a benchmark program that links allocation_count.cc.
#pragma once

#include <cstddef>

namespace omserve {

// Calls of operator new so far, by this thread and by all.
size_t AllocationCount();
size_t AllocationCountOfAllThreads();

}  // namespace omserve
