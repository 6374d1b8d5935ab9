// SPDX-License-Identifier: Apache-2.0
// What AscendCL's return codes mean to an operator: why it happened, whether trying again can help,
// and what to do. The one list of codes in omserve: statuses, `omctl device errors` and
// docs/device-errors.md are made from it.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "absl/status/status.h"
#include "runtime/acl/acl_abi.h"

namespace omserve::acl {

// By the code's first digit, as AscendCL numbers them.
enum class ErrorClass : uint8_t {
  kNone,      // 0: no error.
  kCaller,    // 1xxxxx: the call was wrong.
  kResource,  // 2xxxxx: something is used up or missing.
  kBusiness,  // 3xxxxx: a service refused.
  kDevice,    // 5xxxxx: an internal or device fault.
  kUnknown,   // Any other number.
};

enum class Retry : uint8_t {
  kNever,       // Not before something is changed.
  kLater,       // The same request may succeed later.
  kAfterReset,  // Nothing on this device succeeds before it is reset.
};

struct ErrorInfo {
  aclError code;            // kUnlistedCode in the rows that stand for a whole class.
  std::string_view name;    // "ACL_ERROR_RT_MEMORY_ALLOCATION".
  std::string_view cause;   // A clause without capital and full stop, to stand inside a sentence.
  std::string_view advice;  // What to do, written likewise; empty when there is nothing to do.
  absl::StatusCode status_code;  // Of a call that failed with the code.
  ErrorClass error_class;
  Retry retry;
  // After this code the device's context does no more work: calls on it fail or hang until the
  // device is reset (or the process started again).
  bool device_unusable;
  // When a model was being loaded, its file is at fault: damaged, for another chip, made for
  // another release. Then the status is kInvalidArgument (ModelFileStatus in status.h).
  bool refuses_model;
};

inline constexpr aclError kUnlistedCode = -1;

// All listed codes, ascending.
std::span<const ErrorInfo> ErrorTable();

// Never fails: a code that is not listed gets the row of its class, whose `code` is kUnlistedCode.
// The row lives as long as the program.
const ErrorInfo& DescribeError(aclError code);

inline bool DeviceIsUnusableAfter(aclError code) { return DescribeError(code).device_unusable; }

// "caller", "resource", ...
std::string_view ErrorClassName(ErrorClass error_class);
// "no", "the same request later", "after the device is reset".
std::string_view RetryName(Retry retry);

}  // namespace omserve::acl
