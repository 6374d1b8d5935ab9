// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/allocation_count.h"

#include <atomic>
#include <cstdlib>
#include <new>

namespace omserve {
namespace {

thread_local size_t allocation_count = 0;
std::atomic<size_t> allocation_count_of_all{0};  // Relaxed: a counter.

}  // namespace

size_t AllocationCount() { return allocation_count; }
size_t AllocationCountOfAllThreads() {
  return allocation_count_of_all.load(std::memory_order_relaxed);
}

}  // namespace omserve

// Replaced for the whole program: the only way to see every allocation of the code under test. In a
// file of its own, since gcc 12 takes malloc and delete for a mismatch where it inlines only one.
void* operator new(size_t size) {
  ++omserve::allocation_count;
  omserve::allocation_count_of_all.fetch_add(1, std::memory_order_relaxed);
  void* memory = std::malloc(size);
  if (memory == nullptr) {
    std::abort();
  }
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
