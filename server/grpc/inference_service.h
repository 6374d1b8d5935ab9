// SPDX-License-Identifier: Apache-2.0
// inference.GRPCInferenceService: KServe v2 and the parts of Triton's extensions that omserve has.
//
// Source: KServe's Open Inference Protocol v2 and Triton's protocol extensions.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "server/core/front_door.h"
#include "server/grpc/infer_method.h"
#include "server/grpc/stream_method.h"

namespace omserve::server {

struct InferenceMethods {
  std::unique_ptr<grpc::Service> service;
  RequestInfer request_infer;    // Uses `service`, as does
  RequestStream request_stream;  // this.
};

// The service for a grpc::ServerBuilder, and what pollers ask for their calls; all other methods
// are answered at once. Thread-safe. `door` outlives it.
InferenceMethods MakeInferenceService(const FrontDoor& door);

}  // namespace omserve::server
