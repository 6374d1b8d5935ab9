// SPDX-License-Identifier: Apache-2.0
// The HTTP status of an error.
#pragma once

#include "absl/status/status.h"

namespace omserve::server {

// Triton's mapping, and of codes that it has not, the status that proxies and clients know: 429 and
// 503 are worth a retry, 504 is over, 499 is not seen by anybody.
inline int HttpStatusOf(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return 200;
    case absl::StatusCode::kUnauthenticated:
      return 401;
    case absl::StatusCode::kPermissionDenied:
      return 403;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kResourceExhausted:
      return 429;
    case absl::StatusCode::kCancelled:
      return 499;
    case absl::StatusCode::kInternal:
      return 500;
    case absl::StatusCode::kUnimplemented:
      return 501;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kDeadlineExceeded:
      return 504;
    default:
      return 400;
  }
}

}  // namespace omserve::server
