// SPDX-License-Identifier: Apache-2.0
// The way into the C interface: every function that answers with an aclError goes through Enter.
#pragma once

#include <utility>

#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/fault_plan.h"
#include "runtime/hostacl/runtime.h"

namespace omserve::hostacl {

// Runs `body`, which gives a Status, and turns it into what the C function `function` returns. A
// fault that was asked for comes before it.
template <typename Body>
aclError Enter(const char* function, Body&& body) noexcept {
  if (FaultPlan& faults = ProcessFaults(); faults.armed()) {
    const absl::Status fault = faults.OnCall(function, ThreadDevice());
    if (!fault.ok()) {
      return Answer(fault);
    }
  }
  return Answer(std::forward<Body>(body)());
}

}  // namespace omserve::hostacl
