// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/handle_table.h"

#include <atomic>

namespace omserve::hostacl {

void* NewHandle() noexcept {
  // Relaxed: only uniqueness matters. The upper bits make the number no valid user address.
  static std::atomic<uintptr_t> next{uintptr_t{0x0AC1} << 48 | 0x10};
  return reinterpret_cast<void*>(next.fetch_add(0x10, std::memory_order_relaxed));
}

}  // namespace omserve::hostacl
