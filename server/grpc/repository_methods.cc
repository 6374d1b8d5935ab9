// SPDX-License-Identifier: Apache-2.0
// What there is to serve.
#include "server/core/auth/usable_models.h"
#include "server/core/model_messages.h"
#include "server/grpc/guard.h"
#include "server/grpc/rpc_methods.h"

namespace omserve::server {

using grpc::ServerContext;
using grpc::Status;

Status InferenceService::RepositoryIndex(ServerContext* context,
                                         const inference::RepositoryIndexRequest* request,
                                         inference::RepositoryIndexResponse* response) {
  return Guarded(context, MethodGroup::kModelRepository, [&](const Caller& caller) -> absl::Status {
    FillIndex(door_.catalog.List(), request->ready(), response);
    KeepUsable(caller, response->mutable_models());
    return absl::OkStatus();
  });
}

Status InferenceService::RepositoryModelLoad(ServerContext* context,
                                             const inference::RepositoryModelLoadRequest* request,
                                             inference::RepositoryModelLoadResponse* /*response*/) {
  return Guarded(context, Operation::Control(MethodGroup::kModelRepository, request->model_name()),
                 [] { return NotBuilt("RepositoryModelLoad"); });
}

Status InferenceService::RepositoryModelUnload(
    ServerContext* context, const inference::RepositoryModelUnloadRequest* request,
    inference::RepositoryModelUnloadResponse* /*response*/) {
  return Guarded(context, Operation::Control(MethodGroup::kModelRepository, request->model_name()),
                 [] { return NotBuilt("RepositoryModelUnload"); });
}

}  // namespace omserve::server
