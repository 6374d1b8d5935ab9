// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/control_service.h"

#include <utility>

#include "server/core/control_messages.h"
#include "server/core/usable_models.h"
#include "server/grpc/guard.h"

namespace omserve::server {
namespace {

using grpc::ServerContext;
using grpc::Status;

// A call that changes what serves.
template <typename Request, typename Response>
Status Change(const FrontDoor& door, ServerContext* context, const Request& request,
              Response* response) {
  const Operation operation =
      Operation::Control(MethodGroup::kModelRepository, request.model_name());
  return Guarded(door, context, operation, [&](const Caller& caller) {
    return Perform(door.control, caller, request, response);
  });
}

}  // namespace

Status ControlService::ListModels(ServerContext* context, const ListModelsRequest* request,
                                  ListModelsResponse* response) {
  return Guarded(door_, context, MethodGroup::kModelRepository, [&](const Caller& caller) {
    return FillModels(door_.catalog, door_.control, door_.statistics, caller, *request, response);
  });
}

Status ControlService::SetLabels(ServerContext* context, const SetLabelsRequest* request,
                                 ModelRoutesResponse* response) {
  return Change(door_, context, *request, response);
}

Status ControlService::SetTraffic(ServerContext* context, const SetTrafficRequest* request,
                                  ModelRoutesResponse* response) {
  return Change(door_, context, *request, response);
}

Status ControlService::RollBack(ServerContext* context, const RollBackRequest* request,
                                ModelRoutesResponse* response) {
  return Change(door_, context, *request, response);
}

Status ControlService::DrainModel(ServerContext* context, const DrainModelRequest* request,
                                  DrainModelResponse* /*response*/) {
  const Operation operation =
      Operation::Control(MethodGroup::kModelRepository, request->model_name());
  return Guarded(door_, context, operation, [&](const Caller& caller) {
    return AwaitDone([&](ModelRepository::Done done) {
      door_.repository.Drain(request->model_name(), request->version(), RequesterOf(caller),
                             std::move(done));
    });
  });
}

Status ControlService::VerifyModel(ServerContext* context, const VerifyModelRequest* request,
                                   grpc::ServerWriter<VerifyModelResponse>* writer) {
  const Operation operation =
      Operation::Control(MethodGroup::kModelRepository, request->model_name());
  return Guarded(door_, context, operation, [&](const Caller& caller) {
    return door_.control.Verify(request->model_name(), request->version(), caller.Who(),
                                [writer](const ModelControl::Verified& found) {
                                  return writer->Write(VerifyMessage(found));
                                });
  });
}

Status ControlService::SetEpochFloor(ServerContext* context, const SetEpochFloorRequest* request,
                                     SetEpochFloorResponse* response) {
  return Change(door_, context, *request, response);
}

}  // namespace omserve::server
