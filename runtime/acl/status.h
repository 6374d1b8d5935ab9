// SPDX-License-Identifier: Apache-2.0
// AscendCL's return codes as statuses.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "runtime/acl/symbols.h"

namespace omserve::acl {

// "ACL_ERROR_RT_MEMORY_ALLOCATION"; for a number that is not known, its class by the first digit.
std::string_view AclErrorName(aclError code);

// OK for 0. Else by class: caller faults (1xxxxx, a bug of ours), business refusals (3xxxxx) and
// internal or device faults (5xxxxx) are kInternal; exhausted resources (2xxxxx)
// kResourceExhausted. `what` is the function, with its object where that helps. The message holds
// `what`, the code, its name, and AscendCL's own words, which this takes from the calling thread.
absl::Status AclStatus(const Symbols& symbols, std::string_view what, aclError code);

// The same with words that were taken earlier.
absl::Status AclStatusWithText(std::string_view what, aclError code, std::string_view text);

// For calls that hand a model file to the device: as AclStatus, but a refusal of the file itself
// (damaged, another chip, made for another release) is kInvalidArgument.
absl::Status ModelFileStatus(const Symbols& symbols, std::string_view what, aclError code);

// AscendCL's words on this thread's newest failures, without line breaks; clears them. Empty when
// there are none or the library is older than CANN 5.0.2.
std::string TakeRecentErrorText(const Symbols& symbols);

}  // namespace omserve::acl
