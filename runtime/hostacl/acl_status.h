// SPDX-License-Identifier: Apache-2.0
// absl::Status that also carries AscendCL's number, and the crossing to the C interface, which
// knows only the number and keeps the text for aclGetRecentErrMsg.
#pragma once

#include <fmt/format.h>

#include <string>
#include <utility>

#include "runtime/acl/acl_abi.h"
#include "runtime/base/status_macros.h"

namespace omserve::hostacl {

// A failure with `code`, which is not 0. The absl code is the class that the number's first digit
// names: 1 kInvalidArgument, 2 kResourceExhausted, others kInternal.
[[nodiscard]] absl::Status MakeAclStatus(aclError code, const std::string& message);

template <typename... Args>
[[nodiscard]] absl::Status Fail(aclError code, fmt::format_string<Args...> text, Args&&... args) {
  return MakeAclStatus(code, fmt::format(text, std::forward<Args>(args)...));
}

// ACL_ERROR_INVALID_PARAM for a function that was given null where it is to write.
[[nodiscard]] absl::Status NullOutput(const char* function);

// 0 for OK. A status that was not made here (from runtime/om, say) is `otherwise`.
aclError AclCodeOf(const absl::Status& status, aclError otherwise = ACL_ERROR_INTERNAL_ERROR);

// The same text under `code`. OK stays OK.
[[nodiscard]] absl::Status WithAclCode(const absl::Status& status, aclError code);

// WithContext that keeps the number too.
[[nodiscard]] absl::Status InContext(const absl::Status& status, const std::string& context);

// A failure that one thread leaves for another: plain data, where a Status would share its message
// between them by a count.
struct Failure {
  aclError code = ACL_SUCCESS;
  std::string text;

  bool ok() const { return code == ACL_SUCCESS; }
  [[nodiscard]] absl::Status ToStatus() const {
    return ok() ? absl::OkStatus() : MakeAclStatus(code, text);
  }
};
Failure ToFailure(const absl::Status& status);

// What an ABI function returns: the number, after keeping the text for this thread.
aclError Answer(const absl::Status& status) noexcept;

// The code of this thread's newest failure since TakeLastError; 0 when there was none.
aclError LastError() noexcept;
// Likewise, and forgets it.
aclError TakeLastError() noexcept;

// aclInit's err_msg_mode: whether TakeRecentErrors tells the failures of all threads from now on,
// or each thread's own.
void ShareRecentErrors(bool shared) noexcept;

// The newest failures, oldest first, one a line, and forgets them. The pointer is valid
// until the next call in this thread; null when there were none.
const char* TakeRecentErrors() noexcept;

}  // namespace omserve::hostacl
