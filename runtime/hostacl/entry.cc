// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/entry.h"

#include <optional>

#include "runtime/hostacl/runtime.h"

namespace omserve::hostacl {
namespace {

const char*& ThisThreadsFunction() noexcept {
  thread_local const char* function = "";
  return function;
}

std::optional<Violation> ViolationOf(aclError code) {
  if (code == ACL_ERROR_RT_CONTEXT_NULL || code == ACL_ERROR_RT_STREAM_CONTEXT ||
      code == ACL_ERROR_RT_MODEL_CONTEXT) {
    return Violation::kWrongContext;
  }
  if (code == ACL_ERROR_RT_INVALID_HANDLE) {
    return Violation::kStaleHandle;
  }
  if (code == ACL_ERROR_RT_STREAM_MODEL) {
    return Violation::kModelOnTwoStreams;
  }
  return std::nullopt;
}

}  // namespace

const char* CurrentFunction() noexcept { return ThisThreadsFunction(); }

void SetCurrentFunction(const char* function) noexcept { ThisThreadsFunction() = function; }

absl::Status FaultOfCall(const char* function) {
  return ProcessFaults().OnCall(function, ThreadDevice());
}

void NoteMisuse(const char* function, const absl::Status& status) {
  const std::optional<Violation> violation = ViolationOf(AclCodeOf(status));
  // Where faults were asked for, calls fail that the program made in good faith.
  if (!violation.has_value() || ProcessFaults().armed()) {
    return;
  }
  const absl::StatusOr<std::shared_ptr<Runtime>> runtime = CurrentRuntime();
  if (runtime.ok() && (*runtime)->order() != nullptr) {
    (*runtime)->order()->log().Report(*violation,
                                      fmt::format("{} in thread {}: {}", function, ThisThreadName(),
                                                  std::string(MessageOf(status))));
  }
}

}  // namespace omserve::hostacl
