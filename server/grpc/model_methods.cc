// SPDX-License-Identifier: Apache-2.0
// What a model is and does.
#include "runtime/base/status_macros.h"
#include "server/core/model_messages.h"
#include "server/core/usable_models.h"
#include "server/grpc/guard.h"
#include "server/grpc/rpc_methods.h"

namespace omserve::server {

using grpc::ServerContext;
using grpc::Status;

Status InferenceService::ModelReady(ServerContext* context,
                                    const inference::ModelReadyRequest* request,
                                    inference::ModelReadyResponse* response) {
  return Guarded(context, MethodGroup::kHealth, [&]() -> absl::Status {
    const absl::StatusOr<bool> ready =
        door_.readiness.IsModelReady(request->name(), request->version());
    if (ready.status().code() == absl::StatusCode::kInvalidArgument) {
      return ready.status();
    }
    // A model that is not there is not ready, which is an answer and no error.
    response->set_ready(ready.value_or(false));
    return absl::OkStatus();
  });
}

Status InferenceService::ModelMetadata(ServerContext* context,
                                       const inference::ModelMetadataRequest* request,
                                       inference::ModelMetadataResponse* response) {
  const Operation operation(MethodGroup::kMetadata, request->name());
  return Guarded(context, operation, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const ModelHandle model,
                     door_.catalog.Find(request->name(), request->version()));
    FillMetadata(*model, door_.catalog.Versions(request->name()), response);
    return absl::OkStatus();
  });
}

Status InferenceService::ModelConfig(ServerContext* context,
                                     const inference::ModelConfigRequest* request,
                                     inference::ModelConfigResponse* response) {
  const Operation operation(MethodGroup::kModelConfig, request->name());
  return Guarded(context, operation, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const ModelHandle model,
                     door_.catalog.Find(request->name(), request->version()));
    *response->mutable_config() = model->config;
    return absl::OkStatus();
  });
}

Status InferenceService::ModelStatistics(ServerContext* context,
                                         const inference::ModelStatisticsRequest* request,
                                         inference::ModelStatisticsResponse* response) {
  const Operation operation(MethodGroup::kStatistics, request->name());
  return Guarded(context, operation, [&](const Caller& caller) -> absl::Status {
    RETURN_IF_ERROR(FillAllStatistics(door_.catalog, door_.statistics, request->name(),
                                      request->version(), response));
    KeepUsable(caller, response->mutable_model_stats());
    return absl::OkStatus();
  });
}

}  // namespace omserve::server
