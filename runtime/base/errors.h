// SPDX-License-Identifier: Apache-2.0
// Statuses with a formatted message: `return InvalidArgument("input '{}': expected {}", name, n);`
#pragma once

#include <fmt/format.h>

#include <utility>

#include "runtime/base/status_macros.h"

namespace omserve {

#define OMSERVE_DEFINE_STATUS(Name, code)                                             \
  template <typename... Args>                                                         \
  [[nodiscard]] absl::Status Name(fmt::format_string<Args...> text, Args&&... args) { \
    return MakeStatus(code, fmt::format(text, std::forward<Args>(args)...));          \
  }
OMSERVE_DEFINE_STATUS(InvalidArgument, absl::StatusCode::kInvalidArgument)
OMSERVE_DEFINE_STATUS(NotFound, absl::StatusCode::kNotFound)
OMSERVE_DEFINE_STATUS(Unavailable, absl::StatusCode::kUnavailable)
OMSERVE_DEFINE_STATUS(ResourceExhausted, absl::StatusCode::kResourceExhausted)
OMSERVE_DEFINE_STATUS(DeadlineExceeded, absl::StatusCode::kDeadlineExceeded)
OMSERVE_DEFINE_STATUS(Cancelled, absl::StatusCode::kCancelled)
OMSERVE_DEFINE_STATUS(FailedPrecondition, absl::StatusCode::kFailedPrecondition)
OMSERVE_DEFINE_STATUS(Unimplemented, absl::StatusCode::kUnimplemented)
OMSERVE_DEFINE_STATUS(Internal, absl::StatusCode::kInternal)
#undef OMSERVE_DEFINE_STATUS

}  // namespace omserve
