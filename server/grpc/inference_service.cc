// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/inference_service.h"

#include <string_view>
#include <utility>

#include "proto/inference/grpc_service.grpc.pb.h"
#include "runtime/base/errors.h"
#include "server/grpc/grpc_status.h"
#include "server/grpc/infer_reactor.h"
#include "server/grpc/model_messages.h"

namespace omserve::server {
namespace {

using grpc::CallbackServerContext;
using grpc::ServerUnaryReactor;
using Generated = inference::GRPCInferenceService;

// ModelInfer takes its bytes as they came, so that tensors are not copied by the parser; the other
// methods are small.
template <typename Base>
using RepositoryMethods =
    Generated::WithCallbackMethod_RepositoryIndex<Generated::WithCallbackMethod_RepositoryModelLoad<
        Generated::WithCallbackMethod_RepositoryModelUnload<Base>>>;
template <typename Base>
using SystemMemoryMethods = Generated::WithCallbackMethod_SystemSharedMemoryStatus<
    Generated::WithCallbackMethod_SystemSharedMemoryRegister<
        Generated::WithCallbackMethod_SystemSharedMemoryUnregister<Base>>>;
template <typename Base>
using CudaMemoryMethods = Generated::WithCallbackMethod_CudaSharedMemoryStatus<
    Generated::WithCallbackMethod_CudaSharedMemoryRegister<
        Generated::WithCallbackMethod_CudaSharedMemoryUnregister<Base>>>;
template <typename Base>
using SettingMethods =
    Generated::WithCallbackMethod_TraceSetting<Generated::WithCallbackMethod_LogSettings<Base>>;
template <typename Base>
using ServerMethods = Generated::WithCallbackMethod_ServerLive<
    Generated::WithCallbackMethod_ServerReady<Generated::WithCallbackMethod_ServerMetadata<Base>>>;
template <typename Base>
using ModelMethods = Generated::WithCallbackMethod_ModelReady<
    Generated::WithCallbackMethod_ModelMetadata<Generated::WithCallbackMethod_ModelConfig<
        Generated::WithCallbackMethod_ModelStatistics<Generated::WithRawCallbackMethod_ModelInfer<
            Generated::WithCallbackMethod_ModelStreamInfer<Base>>>>>>;
using Methods = ServerMethods<ModelMethods<
    RepositoryMethods<SystemMemoryMethods<CudaMemoryMethods<SettingMethods<Generated::Service>>>>>>;

grpc::Status NotBuilt(std::string_view method) {
  return ToGrpcStatus(Unimplemented("{} is not supported by omserve yet", method));
}

ServerUnaryReactor* Reply(CallbackServerContext* context, const grpc::Status& status) {
  ServerUnaryReactor* reactor = context->DefaultReactor();
  reactor->Finish(status);
  return reactor;
}

ServerUnaryReactor* Reply(CallbackServerContext* context, const absl::Status& status) {
  return Reply(context, ToGrpcStatus(status));
}

// Ends a stream before it begins.
class RefusedStream final : public grpc::ServerBidiReactor<inference::ModelInferRequest,
                                                           inference::ModelStreamInferResponse> {
 public:
  explicit RefusedStream(const grpc::Status& status) { Finish(status); }
  void OnDone() override { const std::unique_ptr<RefusedStream> destroyed_here(this); }
};

class InferenceService final : public Methods {
 public:
  explicit InferenceService(FrontEnd front_end) : front_end_(std::move(front_end)) {}

  ServerUnaryReactor* ServerLive(CallbackServerContext* context,
                                 const inference::ServerLiveRequest* /*request*/,
                                 inference::ServerLiveResponse* response) override {
    response->set_live(front_end_.lifecycle.live());
    return Reply(context, absl::OkStatus());
  }

  ServerUnaryReactor* ServerReady(CallbackServerContext* context,
                                  const inference::ServerReadyRequest* /*request*/,
                                  inference::ServerReadyResponse* response) override {
    response->set_ready(front_end_.lifecycle.ready());
    return Reply(context, absl::OkStatus());
  }

  ServerUnaryReactor* ServerMetadata(CallbackServerContext* context,
                                     const inference::ServerMetadataRequest* /*request*/,
                                     inference::ServerMetadataResponse* response) override {
    response->set_name(front_end_.name);
    response->set_version(front_end_.version);
    for (const char* extension :
         {"model_configuration", "parameters", "schedule_policy", "statistics"}) {
      response->add_extensions(extension);
    }
    return Reply(context, absl::OkStatus());
  }

  ServerUnaryReactor* ModelReady(CallbackServerContext* context,
                                 const inference::ModelReadyRequest* request,
                                 inference::ModelReadyResponse* response) override {
    const absl::StatusOr<bool> ready =
        front_end_.readiness.IsModelReady(request->name(), request->version());
    if (ready.status().code() == absl::StatusCode::kInvalidArgument) {
      return Reply(context, ready.status());
    }
    // A model that is not there is not ready, which is an answer and no error.
    response->set_ready(ready.value_or(false));
    return Reply(context, absl::OkStatus());
  }

  ServerUnaryReactor* ModelMetadata(CallbackServerContext* context,
                                    const inference::ModelMetadataRequest* request,
                                    inference::ModelMetadataResponse* response) override {
    const absl::StatusOr<ModelHandle> model =
        front_end_.catalog.Find(request->name(), request->version());
    if (model.ok()) {
      FillMetadata(**model, front_end_.catalog.Versions(request->name()), response);
    }
    return Reply(context, model.status());
  }

  ServerUnaryReactor* ModelConfig(CallbackServerContext* context,
                                  const inference::ModelConfigRequest* request,
                                  inference::ModelConfigResponse* response) override {
    const absl::StatusOr<ModelHandle> model =
        front_end_.catalog.Find(request->name(), request->version());
    if (model.ok()) {
      *response->mutable_config() = (*model)->config;
    }
    return Reply(context, model.status());
  }

  ServerUnaryReactor* ModelStatistics(CallbackServerContext* context,
                                      const inference::ModelStatisticsRequest* request,
                                      inference::ModelStatisticsResponse* response) override {
    return Reply(context, FillAllStatistics(front_end_.catalog, front_end_.statistics,
                                            request->name(), request->version(), response));
  }

  ServerUnaryReactor* ModelInfer(CallbackServerContext* context, const grpc::ByteBuffer* request,
                                 grpc::ByteBuffer* response) override {
    return StartInfer(front_end_, context, request, response);
  }

  ServerUnaryReactor* RepositoryIndex(CallbackServerContext* context,
                                      const inference::RepositoryIndexRequest* request,
                                      inference::RepositoryIndexResponse* response) override {
    FillIndex(front_end_.catalog.List(), request->ready(), response);
    return Reply(context, absl::OkStatus());
  }

  grpc::ServerBidiReactor<inference::ModelInferRequest, inference::ModelStreamInferResponse>*
  ModelStreamInfer(CallbackServerContext* /*context*/) override {
    return std::make_unique<RefusedStream>(NotBuilt("ModelStreamInfer")).release();
  }
  ServerUnaryReactor* RepositoryModelLoad(
      CallbackServerContext* context, const inference::RepositoryModelLoadRequest* /*request*/,
      inference::RepositoryModelLoadResponse* /*response*/) override {
    return Reply(context, NotBuilt("RepositoryModelLoad"));
  }
  ServerUnaryReactor* RepositoryModelUnload(
      CallbackServerContext* context, const inference::RepositoryModelUnloadRequest* /*request*/,
      inference::RepositoryModelUnloadResponse* /*response*/) override {
    return Reply(context, NotBuilt("RepositoryModelUnload"));
  }
  ServerUnaryReactor* SystemSharedMemoryStatus(
      CallbackServerContext* context, const inference::SystemSharedMemoryStatusRequest* /*request*/,
      inference::SystemSharedMemoryStatusResponse* /*response*/) override {
    return Reply(context, NotBuilt("SystemSharedMemoryStatus"));
  }
  ServerUnaryReactor* SystemSharedMemoryRegister(
      CallbackServerContext* context,
      const inference::SystemSharedMemoryRegisterRequest* /*request*/,
      inference::SystemSharedMemoryRegisterResponse* /*response*/) override {
    return Reply(context, NotBuilt("SystemSharedMemoryRegister"));
  }
  ServerUnaryReactor* SystemSharedMemoryUnregister(
      CallbackServerContext* context,
      const inference::SystemSharedMemoryUnregisterRequest* /*request*/,
      inference::SystemSharedMemoryUnregisterResponse* /*response*/) override {
    return Reply(context, NotBuilt("SystemSharedMemoryUnregister"));
  }
  ServerUnaryReactor* CudaSharedMemoryStatus(
      CallbackServerContext* context, const inference::CudaSharedMemoryStatusRequest* /*request*/,
      inference::CudaSharedMemoryStatusResponse* /*response*/) override {
    return Reply(context, NotBuilt("CudaSharedMemoryStatus"));
  }
  ServerUnaryReactor* CudaSharedMemoryRegister(
      CallbackServerContext* context, const inference::CudaSharedMemoryRegisterRequest* /*request*/,
      inference::CudaSharedMemoryRegisterResponse* /*response*/) override {
    return Reply(context, NotBuilt("CudaSharedMemoryRegister"));
  }
  ServerUnaryReactor* CudaSharedMemoryUnregister(
      CallbackServerContext* context,
      const inference::CudaSharedMemoryUnregisterRequest* /*request*/,
      inference::CudaSharedMemoryUnregisterResponse* /*response*/) override {
    return Reply(context, NotBuilt("CudaSharedMemoryUnregister"));
  }
  ServerUnaryReactor* TraceSetting(CallbackServerContext* context,
                                   const inference::TraceSettingRequest* /*request*/,
                                   inference::TraceSettingResponse* /*response*/) override {
    return Reply(context, NotBuilt("TraceSetting"));
  }
  ServerUnaryReactor* LogSettings(CallbackServerContext* context,
                                  const inference::LogSettingsRequest* /*request*/,
                                  inference::LogSettingsResponse* /*response*/) override {
    return Reply(context, NotBuilt("LogSettings"));
  }

 private:
  const FrontEnd front_end_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeInferenceService(FrontEnd front_end) {
  return std::make_unique<InferenceService>(std::move(front_end));
}

}  // namespace omserve::server
