// SPDX-License-Identifier: Apache-2.0
// What there is to serve, and its loading and unloading.
#include <cstddef>
#include <utility>

#include "server/core/model_messages.h"
#include "server/core/usable_models.h"
#include "server/grpc/guard.h"
#include "server/grpc/rpc_methods.h"

namespace omserve::server {

using grpc::ServerContext;
using grpc::Status;

namespace {

constexpr size_t kMostShownBytes = 256;  // Of what a client wrote.

absl::StatusOr<LoadParameters> ParametersOf(const inference::RepositoryModelLoadRequest& request) {
  using Parameter = inference::ModelRepositoryParameter;
  LoadParameters parameters;
  for (const auto& [name, value] : request.parameters()) {
    if (name == "config") {
      if (value.parameter_choice_case() != Parameter::kStringParam) {
        return InvalidArgument("invalid value type for 'config' parameter, expected string_param.");
      }
      parameters.config = value.string_param();
    } else if (name.starts_with(kFilePrefix)) {
      if (value.parameter_choice_case() != Parameter::kBytesParam) {
        return InvalidArgument("invalid value type for '{}' parameter, expected bytes_param.",
                               name.substr(0, kMostShownBytes));
      }
      RETURN_IF_ERROR(AddFile(name, value.bytes_param(), parameters));
    } else {
      return UnknownLoadParameter(name);
    }
  }
  return parameters;
}

absl::StatusOr<bool> UnloadsParts(const inference::RepositoryModelUnloadRequest& request) {
  const auto found = request.parameters().find("unload_dependents");
  if (found == request.parameters().end()) {
    return false;
  }
  if (found->second.parameter_choice_case() != inference::ModelRepositoryParameter::kBoolParam) {
    return InvalidArgument(
        "invalid value type for 'unload_dependents' parameter, expected bool_param.");
  }
  return found->second.bool_param();
}

}  // namespace

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
                 [&](const Caller& caller) -> absl::Status {
                   ASSIGN_OR_RETURN(LoadParameters parameters, ParametersOf(*request));
                   return AwaitDone([&](ModelRepository::Done done) {
                     door_.repository.Load(request->model_name(), std::move(parameters),
                                           RequesterOf(caller), std::move(done));
                   });
                 });
}

Status InferenceService::RepositoryModelUnload(
    ServerContext* context, const inference::RepositoryModelUnloadRequest* request,
    inference::RepositoryModelUnloadResponse* /*response*/) {
  return Guarded(context, Operation::Control(MethodGroup::kModelRepository, request->model_name()),
                 [&](const Caller& caller) -> absl::Status {
                   ASSIGN_OR_RETURN(const bool parts, UnloadsParts(*request));
                   return AwaitDone([&](ModelRepository::Done done) {
                     door_.repository.Unload(request->model_name(), parts, RequesterOf(caller),
                                             std::move(done));
                   });
                 });
}

}  // namespace omserve::server
