// SPDX-License-Identifier: Apache-2.0
// The way into the C interface: every function that answers with an aclError goes through Enter.
#pragma once

#include <utility>

#include "runtime/hostacl/acl_status.h"

namespace omserve::hostacl {

// Runs `body`, which gives a Status, and turns it into what the C function `function` returns.
template <typename Body>
aclError Enter(const char* /*function*/, Body&& body) noexcept {
  return Answer(std::forward<Body>(body)());
}

}  // namespace omserve::hostacl
