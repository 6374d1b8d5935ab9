// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/status_macros.h"

#include <catch2/catch.hpp>
#include <memory>

#include "runtime/base/errors.h"

namespace omserve {
namespace {

absl::StatusOr<std::unique_ptr<int>> Positive(int value) {
  if (value <= 0) {
    return InvalidArgument("value {}: expected more than 0", value);
  }
  return std::make_unique<int>(value);
}

absl::StatusOr<int> Sum(int a, int b) {
  ASSIGN_OR_RETURN(const std::unique_ptr<int> left, Positive(a));
  ASSIGN_OR_RETURN(const std::unique_ptr<int> right, Positive(b));
  return *left + *right;
}

absl::Status Check(int value) {
  RETURN_IF_ERROR(Positive(value).status());
  return absl::OkStatus();
}

// Values pass through, also those that can only be moved.
TEST_CASE("The status macros pass values on") {
  CHECK(Sum(2, 3).value() == 5);
  CHECK(Check(1).ok());
}

// The first error ends the function and arrives unchanged.
TEST_CASE("The status macros return the first error") {
  const absl::Status status = Sum(0, -1).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(MessageOf(status) == "value 0: expected more than 0");
  CHECK(MessageOf(Check(-7)) == "value -7: expected more than 0");
}

// Context stands in front, keeps the code, and does not turn success into failure.
TEST_CASE("Context is put in front of an error") {
  const absl::Status status = WithContext(NotFound("no such model"), "request 7");
  CHECK(status.code() == absl::StatusCode::kNotFound);
  CHECK(MessageOf(status) == "request 7: no such model");
  CHECK(WithContext(absl::OkStatus(), "request 7").ok());
}

// Each function makes the code it is named after, of which gRPC makes the caller's.
TEST_CASE("Errors carry the code of their name") {
  CHECK(Unavailable("x").code() == absl::StatusCode::kUnavailable);
  CHECK(ResourceExhausted("x").code() == absl::StatusCode::kResourceExhausted);
  CHECK(DeadlineExceeded("x").code() == absl::StatusCode::kDeadlineExceeded);
  CHECK(Cancelled("x").code() == absl::StatusCode::kCancelled);
  CHECK(FailedPrecondition("x").code() == absl::StatusCode::kFailedPrecondition);
  CHECK(Unimplemented("x").code() == absl::StatusCode::kUnimplemented);
  CHECK(Internal("x").code() == absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace omserve
