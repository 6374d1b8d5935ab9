// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/allocation_count.h"

#include <cstdlib>
#include <new>

namespace omserve {
namespace {

thread_local size_t allocation_count = 0;

}  // namespace

size_t AllocationCount() { return allocation_count; }

}  // namespace omserve

// Replaced for the whole program: the only way to see every allocation of the code under test. In a
// file of its own, since gcc 12 takes malloc and delete for a mismatch where it inlines only one.
void* operator new(size_t size) {
  ++omserve::allocation_count;
  void* memory = std::malloc(size);
  if (memory == nullptr) {
    std::abort();
  }
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
