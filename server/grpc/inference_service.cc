// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/inference_service.h"

#include <string_view>
#include <utility>

#include "proto/inference/grpc_service.grpc.pb.h"
#include "runtime/base/errors.h"
#include "server/core/extensions.h"
#include "server/grpc/grpc_status.h"
#include "server/grpc/model_messages.h"

namespace omserve::server {
namespace {

using grpc::ServerContext;
using grpc::Status;
using Generated = inference::GRPCInferenceService;

// ModelInfer and ModelStreamInfer take their bytes as they came, so that tensors are not copied by
// the parser, from queues that are polled by threads of ours. The other methods are small and rare;
// gRPC runs them on threads of its own, which poll nothing.
using Methods = Generated::WithRawMethod_ModelInfer<
    Generated::WithRawMethod_ModelStreamInfer<Generated::Service>>;

Status NotBuilt(std::string_view method) {
  return ToGrpcStatus(Unimplemented("{} is not supported by omserve yet", method));
}

class InferenceService final : public Methods {
 public:
  explicit InferenceService(const FrontDoor& door) : door_(door) {}

  Status ServerLive(ServerContext* /*context*/, const inference::ServerLiveRequest* /*request*/,
                    inference::ServerLiveResponse* response) override {
    response->set_live(door_.lifecycle.live());
    return Status::OK;
  }

  Status ServerReady(ServerContext* /*context*/, const inference::ServerReadyRequest* /*request*/,
                     inference::ServerReadyResponse* response) override {
    response->set_ready(door_.lifecycle.ready());
    return Status::OK;
  }

  Status ServerMetadata(ServerContext* /*context*/,
                        const inference::ServerMetadataRequest* /*request*/,
                        inference::ServerMetadataResponse* response) override {
    response->set_name(door_.name);
    response->set_version(door_.version);
    for (const std::string_view extension : kExtensions) {
      response->add_extensions(std::string(extension));
    }
    return Status::OK;
  }

  Status ModelReady(ServerContext* /*context*/, const inference::ModelReadyRequest* request,
                    inference::ModelReadyResponse* response) override {
    const absl::StatusOr<bool> ready =
        door_.readiness.IsModelReady(request->name(), request->version());
    if (ready.status().code() == absl::StatusCode::kInvalidArgument) {
      return ToGrpcStatus(ready.status());
    }
    // A model that is not there is not ready, which is an answer and no error.
    response->set_ready(ready.value_or(false));
    return Status::OK;
  }

  Status ModelMetadata(ServerContext* /*context*/, const inference::ModelMetadataRequest* request,
                       inference::ModelMetadataResponse* response) override {
    const absl::StatusOr<ModelHandle> model =
        door_.catalog.Find(request->name(), request->version());
    if (model.ok()) {
      FillMetadata(**model, door_.catalog.Versions(request->name()), response);
    }
    return ToGrpcStatus(model.status());
  }

  Status ModelConfig(ServerContext* /*context*/, const inference::ModelConfigRequest* request,
                     inference::ModelConfigResponse* response) override {
    const absl::StatusOr<ModelHandle> model =
        door_.catalog.Find(request->name(), request->version());
    if (model.ok()) {
      *response->mutable_config() = (*model)->config;
    }
    return ToGrpcStatus(model.status());
  }

  Status ModelStatistics(ServerContext* /*context*/,
                         const inference::ModelStatisticsRequest* request,
                         inference::ModelStatisticsResponse* response) override {
    return ToGrpcStatus(FillAllStatistics(door_.catalog, door_.statistics, request->name(),
                                          request->version(), response));
  }

  Status RepositoryIndex(ServerContext* /*context*/,
                         const inference::RepositoryIndexRequest* request,
                         inference::RepositoryIndexResponse* response) override {
    FillIndex(door_.catalog.List(), request->ready(), response);
    return Status::OK;
  }

  Status RepositoryModelLoad(ServerContext* /*context*/,
                             const inference::RepositoryModelLoadRequest* /*request*/,
                             inference::RepositoryModelLoadResponse* /*response*/) override {
    return NotBuilt("RepositoryModelLoad");
  }
  Status RepositoryModelUnload(ServerContext* /*context*/,
                               const inference::RepositoryModelUnloadRequest* /*request*/,
                               inference::RepositoryModelUnloadResponse* /*response*/) override {
    return NotBuilt("RepositoryModelUnload");
  }
  Status SystemSharedMemoryStatus(
      ServerContext* /*context*/, const inference::SystemSharedMemoryStatusRequest* /*request*/,
      inference::SystemSharedMemoryStatusResponse* /*response*/) override {
    return NotBuilt("SystemSharedMemoryStatus");
  }
  Status SystemSharedMemoryRegister(
      ServerContext* /*context*/, const inference::SystemSharedMemoryRegisterRequest* /*request*/,
      inference::SystemSharedMemoryRegisterResponse* /*response*/) override {
    return NotBuilt("SystemSharedMemoryRegister");
  }
  Status SystemSharedMemoryUnregister(
      ServerContext* /*context*/, const inference::SystemSharedMemoryUnregisterRequest* /*request*/,
      inference::SystemSharedMemoryUnregisterResponse* /*response*/) override {
    return NotBuilt("SystemSharedMemoryUnregister");
  }
  Status CudaSharedMemoryStatus(ServerContext* /*context*/,
                                const inference::CudaSharedMemoryStatusRequest* /*request*/,
                                inference::CudaSharedMemoryStatusResponse* /*response*/) override {
    return NotBuilt("CudaSharedMemoryStatus");
  }
  Status CudaSharedMemoryRegister(
      ServerContext* /*context*/, const inference::CudaSharedMemoryRegisterRequest* /*request*/,
      inference::CudaSharedMemoryRegisterResponse* /*response*/) override {
    return NotBuilt("CudaSharedMemoryRegister");
  }
  Status CudaSharedMemoryUnregister(
      ServerContext* /*context*/, const inference::CudaSharedMemoryUnregisterRequest* /*request*/,
      inference::CudaSharedMemoryUnregisterResponse* /*response*/) override {
    return NotBuilt("CudaSharedMemoryUnregister");
  }
  Status TraceSetting(ServerContext* /*context*/, const inference::TraceSettingRequest* /*request*/,
                      inference::TraceSettingResponse* /*response*/) override {
    return NotBuilt("TraceSetting");
  }
  Status LogSettings(ServerContext* /*context*/, const inference::LogSettingsRequest* /*request*/,
                     inference::LogSettingsResponse* /*response*/) override {
    return NotBuilt("LogSettings");
  }

 private:
  const FrontDoor& door_;
};

}  // namespace

InferenceMethods MakeInferenceService(const FrontDoor& door) {
  auto service = std::make_unique<InferenceService>(door);
  RequestInfer infer = [raw = service.get()](auto* context, auto* bytes, auto* writer, auto* queue,
                                             QueueEvent* tag) {
    raw->RequestModelInfer(context, bytes, writer, queue, queue, tag);
  };
  RequestStream stream = [raw = service.get()](auto* context, auto* read_and_write, auto* queue,
                                               QueueEvent* tag) {
    raw->RequestModelStreamInfer(context, read_and_write, queue, queue, tag);
  };
  return {std::move(service), std::move(infer), std::move(stream)};
}

}  // namespace omserve::server
