// SPDX-License-Identifier: Apache-2.0
// AscendCL's return codes as statuses.
#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "runtime/acl/symbols.h"

namespace omserve::acl {

// OK for 0; else the status that error_table.h has for the code; DeviceErrorCode tells the code.
// `what` is the function, with its object where that helps. The message, one line, holds `what`,
// the code with its name, cause and advice, and AscendCL's own words, which this takes from the
// calling thread.
absl::Status AclStatus(const Symbols& symbols, std::string_view what, aclError code);

// The same with words that were taken earlier.
absl::Status AclStatusWithText(std::string_view what, aclError code, std::string_view text);

// For calls that hand a model file to the device: as AclStatus, but a refusal of the file itself
// (damaged, another chip, made for another release) is kInvalidArgument.
absl::Status ModelFileStatus(const Symbols& symbols, std::string_view what, aclError code);

// For calls that open AscendCL or a device: as AclStatus, but an internal fault (5xxxxx) is
// kUnavailable with what to check. Without a driver, or with one that is too old for the CANN, such
// a call answers with any of a dozen of those codes.
absl::Status OpeningStatus(const Symbols& symbols, std::string_view what, aclError code);

// AscendCL's words on this thread's newest failures, without line breaks; clears them. Empty when
// there are none or the library is older than CANN 5.0.2.
std::string TakeRecentErrorText(const Symbols& symbols);

}  // namespace omserve::acl
