// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace omserve {

void CheckFailed(const char* file, int line, const char* condition, const char* belief) noexcept {
  std::fprintf(stderr, "%s:%d: broken invariant: %s (%s)\n", file, line, belief, condition);
  std::abort();
}

}  // namespace omserve
