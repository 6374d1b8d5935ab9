// SPDX-License-Identifier: Apache-2.0
// Invariants of ours, with the belief in words. Never on input from outside: that is a Status.
#pragma once

namespace omserve {

// Prints the belief and ends the process.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              const char* belief) noexcept;

}  // namespace omserve

#define OMSERVE_CHECK(condition, belief)                              \
  do {                                                                \
    if (!(condition)) {                                               \
      ::omserve::CheckFailed(__FILE__, __LINE__, #condition, belief); \
    }                                                                 \
  } while (false)

#ifdef NDEBUG
#define OMSERVE_DCHECK(condition, belief) \
  do {                                    \
  } while (false)
#else
#define OMSERVE_DCHECK(condition, belief) OMSERVE_CHECK(condition, belief)
#endif
