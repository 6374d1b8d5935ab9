// SPDX-License-Identifier: Apache-2.0
// absl's codes are gRPC's codes, so the crossing is a cast; this is the only place that makes it.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"
#include "runtime/base/status_macros.h"

namespace omserve::server {

inline grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) {
    return grpc::Status::OK;
  }
  return {static_cast<grpc::StatusCode>(status.code()), std::string(MessageOf(status))};
}

}  // namespace omserve::server
