// SPDX-License-Identifier: Apache-2.0
#include "server/http/http_status.h"

#include <catch2/catch.hpp>

namespace omserve::server {
namespace {

// Triton's statuses, but for a client that is gone; and of codes that Triton has not.
TEST_CASE("HTTP statuses of errors",
          "[1.15/unknown][1.15/internal][1.15/not-found][1.15/invalid-argument]"
          "[1.15/unavailable][1.15/unsupported][1.15/already-exists]") {
  CHECK(HttpStatusOf(absl::StatusCode::kUnknown) == 400);
  CHECK(HttpStatusOf(absl::StatusCode::kInternal) == 500);
  CHECK(HttpStatusOf(absl::StatusCode::kNotFound) == 404);
  CHECK(HttpStatusOf(absl::StatusCode::kInvalidArgument) == 400);
  CHECK(HttpStatusOf(absl::StatusCode::kUnavailable) == 503);
  CHECK(HttpStatusOf(absl::StatusCode::kUnimplemented) == 501);
  CHECK(HttpStatusOf(absl::StatusCode::kAlreadyExists) == 400);
  CHECK(HttpStatusOf(absl::StatusCode::kCancelled) == 499);
  CHECK(HttpStatusOf(absl::StatusCode::kResourceExhausted) == 429);
  CHECK(HttpStatusOf(absl::StatusCode::kDeadlineExceeded) == 504);
}

}  // namespace
}  // namespace omserve::server
