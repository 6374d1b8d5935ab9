// SPDX-License-Identifier: Apache-2.0
// grpc.health.v1.Health for the daemon and for each model.
//
// Source: the gRPC health checking protocol.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>

#include "server/core/lifecycle.h"
#include "server/core/readiness.h"

namespace omserve::server {

// Services by name: "" and "inference.GRPCInferenceService" are the daemon, any other name is a
// model. Watch ends when the daemon stops. Thread-safe; the references outlive the service.
std::unique_ptr<grpc::Service> MakeHealthService(const Readiness& readiness, Lifecycle& lifecycle);

}  // namespace omserve::server
