// SPDX-License-Identifier: Apache-2.0
// absl's codes are gRPC's codes, so the crossing is a cast; this is the only place that makes it.
#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"

namespace omserve::server {

// A refusal (scheduler/refusal.h) carries a google.rpc.Status in its details, for
// `grpc-status-details-bin`: an ErrorInfo with its reason, and a RetryInfo when it is known when to
// come back.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace omserve::server
