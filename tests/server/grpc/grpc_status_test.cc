// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/grpc_status.h"

#include <catch2/catch.hpp>

namespace omserve::server {
namespace {

TEST_CASE("gRPC codes of errors",
          "[1.15/unknown][1.15/internal][1.15/not-found][1.15/invalid-argument]"
          "[1.15/unavailable][1.15/unsupported][1.15/already-exists][1.15/cancelled]") {
  const auto check = [](absl::StatusCode code, grpc::StatusCode expected) {
    const grpc::Status status = ToGrpcStatus(absl::Status(code, "why"));
    CHECK(status.error_code() == expected);
    CHECK(status.error_message() == "why");
  };
  check(absl::StatusCode::kUnknown, grpc::StatusCode::UNKNOWN);
  check(absl::StatusCode::kInternal, grpc::StatusCode::INTERNAL);
  check(absl::StatusCode::kNotFound, grpc::StatusCode::NOT_FOUND);
  check(absl::StatusCode::kInvalidArgument, grpc::StatusCode::INVALID_ARGUMENT);
  check(absl::StatusCode::kUnavailable, grpc::StatusCode::UNAVAILABLE);
  check(absl::StatusCode::kUnimplemented, grpc::StatusCode::UNIMPLEMENTED);
  check(absl::StatusCode::kAlreadyExists, grpc::StatusCode::ALREADY_EXISTS);
  check(absl::StatusCode::kCancelled, grpc::StatusCode::CANCELLED);
}

}  // namespace
}  // namespace omserve::server
