// SPDX-License-Identifier: Apache-2.0
// grpc.health.v1.Health for the daemon and for each model.
//
// Source: the gRPC health checking protocol.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>

#include "server/core/front_door.h"
#include "server/grpc/call_queue.h"

namespace omserve::server {

struct HealthMethods {
  std::unique_ptr<grpc::Service> service;
  // To be called once, before the queue is started: it takes the calls of Watch. Uses `service`.
  std::function<void(CallQueue& queue)> await_watches;
};

// Services by name: "" and "inference.GRPCInferenceService" are the daemon, SERVING while it is
// ready; "omserve/live", "omserve/started", "omserve/ready" and "omserve/converged" are what is
// said of it; any other name is a model. Watch ends when the daemon stops. Thread-safe;
// `door` outlives the service.
HealthMethods MakeHealthService(const FrontDoor& door);

}  // namespace omserve::server
