// SPDX-License-Identifier: Apache-2.0
// The one place that every gRPC call passes before it is served.
#pragma once

#include <grpcpp/grpcpp.h>

#include <type_traits>

#include "absl/status/statusor.h"
#include "server/core/auth/access.h"
#include "server/core/front_door.h"
#include "server/grpc/grpc_status.h"

namespace omserve::server {

// Who calls, if they may; a model that is only known later is for Access::CheckModel. Errors: those
// of Access::Admit.
absl::StatusOr<Caller> Guard(const FrontDoor& door, const grpc::ServerContext& context,
                             const Operation& operation);

// What `method`, which returns absl::Status, says to a call that may use it. It may take the
// Caller.
template <typename Method>
grpc::Status Guarded(const FrontDoor& door, const grpc::ServerContext* context,
                     const Operation& operation, const Method& method) {
  const absl::StatusOr<Caller> caller = Guard(door, *context, operation);
  if (!caller.ok()) {
    return ToGrpcStatus(caller.status());
  }
  if constexpr (std::is_invocable_v<const Method&, const Caller&>) {
    return ToGrpcStatus(method(*caller));
  } else {
    return ToGrpcStatus(method());
  }
}

}  // namespace omserve::server
