// SPDX-License-Identifier: Apache-2.0
// inference.GRPCInferenceService: KServe v2 and the parts of Triton's extensions that omserve has.
//
// Source: KServe's Open Inference Protocol v2 and Triton's protocol extensions.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "server/grpc/front_end.h"

namespace omserve::server {

// The service for a grpc::ServerBuilder. Thread-safe. Methods that are not built yet answer
// UNIMPLEMENTED with their name.
std::unique_ptr<grpc::Service> MakeInferenceService(FrontEnd front_end);

}  // namespace omserve::server
