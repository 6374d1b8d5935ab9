// SPDX-License-Identifier: Apache-2.0
// The one place that every gRPC call passes before it is served.
#pragma once

#include <grpcpp/grpcpp.h>

#include "absl/status/status.h"
#include "server/core/method_group.h"
#include "server/grpc/grpc_status.h"

namespace omserve::server {

// Whether the call may use methods of `group`. Everybody may use all of them.
inline absl::Status Guard(const grpc::ServerContext& /*context*/, MethodGroup /*group*/) {
  return absl::OkStatus();
}

// What `method`, which returns absl::Status, says to a call that may use it.
template <typename Method>
grpc::Status Guarded(const grpc::ServerContext* context, MethodGroup group, const Method& method) {
  const absl::Status allowed = Guard(*context, group);
  return ToGrpcStatus(allowed.ok() ? method() : allowed);
}

}  // namespace omserve::server
