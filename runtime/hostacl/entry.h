// SPDX-License-Identifier: Apache-2.0
// The way into the C interface: every function that answers with an aclError goes through Enter.
#pragma once

#include <utility>

#include "runtime/hostacl/acl_status.h"
#include "runtime/hostacl/fault_plan.h"

namespace omserve::hostacl {

// The function of the C interface that this thread is inside, or was in last; "" before any.
const char* CurrentFunction() noexcept;
void SetCurrentFunction(const char* function) noexcept;

// The failure that a fault rule has for this call.
absl::Status FaultOfCall(const char* function);

// Tells strict mode of a failed call that a chip would not have noticed or not survived.
void NoteMisuse(const char* function, const absl::Status& status);

// Runs `body`, which gives a Status, and turns it into what the C function `function` returns. A
// fault that was asked for comes before it. `function` lives as long as the process.
template <typename Body>
aclError Enter(const char* function, Body&& body) noexcept {
  SetCurrentFunction(function);
  if (ProcessFaults().armed()) {
    const absl::Status fault = FaultOfCall(function);
    if (!fault.ok()) {
      return Answer(fault);
    }
  }
  const absl::Status status = std::forward<Body>(body)();
  if (!status.ok()) {
    NoteMisuse(function, status);
  }
  return Answer(status);
}

}  // namespace omserve::hostacl
