// SPDX-License-Identifier: Apache-2.0
// One ModelInfer call from its bytes to its answer.
#pragma once

#include <grpcpp/grpcpp.h>

#include "server/grpc/front_end.h"

namespace omserve::server {

// Starts the call and returns the reactor that gRPC then drives. Never blocks on the device.
// `request` and `response` live until the reactor's OnDone.
grpc::ServerUnaryReactor* StartInfer(const FrontEnd& front_end,
                                     grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request, grpc::ByteBuffer* response);

}  // namespace omserve::server
