// SPDX-License-Identifier: Apache-2.0
// What operators ask of a daemon over gRPC beside Triton's model repository extension
// (proto/omserve/control.proto).
#pragma once

#include <grpcpp/grpcpp.h>

#include "proto/omserve/control.grpc.pb.h"
#include "server/core/front_door.h"

namespace omserve::server {

// Small methods, which gRPC runs on threads of its own. Thread-safe. `door` outlives it.
class ControlService final : public ::omserve::ModelControl::Service {
 public:
  explicit ControlService(const FrontDoor& door) : door_(door) {}

  grpc::Status ListModels(grpc::ServerContext* context, const ListModelsRequest* request,
                          ListModelsResponse* response) override;
  grpc::Status SetLabels(grpc::ServerContext* context, const SetLabelsRequest* request,
                         ModelRoutesResponse* response) override;
  grpc::Status SetTraffic(grpc::ServerContext* context, const SetTrafficRequest* request,
                          ModelRoutesResponse* response) override;
  grpc::Status RollBack(grpc::ServerContext* context, const RollBackRequest* request,
                        ModelRoutesResponse* response) override;
  grpc::Status DrainModel(grpc::ServerContext* context, const DrainModelRequest* request,
                          DrainModelResponse* response) override;
  grpc::Status VerifyModel(grpc::ServerContext* context, const VerifyModelRequest* request,
                           grpc::ServerWriter<VerifyModelResponse>* writer) override;
  grpc::Status SetEpochFloor(grpc::ServerContext* context, const SetEpochFloorRequest* request,
                             SetEpochFloorResponse* response) override;

 private:
  const FrontDoor& door_;
};

}  // namespace omserve::server
