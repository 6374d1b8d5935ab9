// SPDX-License-Identifier: Apache-2.0
// The generated service's methods, but for those that are taken from queues of ours. Each stands in
// the file of its theme, and passes Guard (guard.h) first.
#pragma once

#include <grpcpp/grpcpp.h>

#include <string_view>

#include "proto/inference/grpc_service.grpc.pb.h"
#include "runtime/base/errors.h"
#include "server/core/front_door.h"
#include "server/grpc/guard.h"

namespace omserve::server {

// ModelInfer and ModelStreamInfer take their bytes as they came, so that tensors are not copied by
// the parser, from queues that are polled by threads of ours. The other methods are small and rare;
// gRPC runs them on threads of its own, which poll nothing.
//
// Thread-safe. `door` outlives it.
class InferenceService final : public inference::GRPCInferenceService::WithRawMethod_ModelInfer<
                                   inference::GRPCInferenceService::WithRawMethod_ModelStreamInfer<
                                       inference::GRPCInferenceService::Service>> {
 public:
  explicit InferenceService(const FrontDoor& door) : door_(door) {}

  // server_methods.cc
  grpc::Status ServerLive(grpc::ServerContext* context, const inference::ServerLiveRequest* request,
                          inference::ServerLiveResponse* response) override;
  grpc::Status ServerReady(grpc::ServerContext* context,
                           const inference::ServerReadyRequest* request,
                           inference::ServerReadyResponse* response) override;
  grpc::Status ServerMetadata(grpc::ServerContext* context,
                              const inference::ServerMetadataRequest* request,
                              inference::ServerMetadataResponse* response) override;
  // model_methods.cc
  grpc::Status ModelReady(grpc::ServerContext* context, const inference::ModelReadyRequest* request,
                          inference::ModelReadyResponse* response) override;
  grpc::Status ModelMetadata(grpc::ServerContext* context,
                             const inference::ModelMetadataRequest* request,
                             inference::ModelMetadataResponse* response) override;
  grpc::Status ModelConfig(grpc::ServerContext* context,
                           const inference::ModelConfigRequest* request,
                           inference::ModelConfigResponse* response) override;
  grpc::Status ModelStatistics(grpc::ServerContext* context,
                               const inference::ModelStatisticsRequest* request,
                               inference::ModelStatisticsResponse* response) override;
  // repository_methods.cc
  grpc::Status RepositoryIndex(grpc::ServerContext* context,
                               const inference::RepositoryIndexRequest* request,
                               inference::RepositoryIndexResponse* response) override;
  grpc::Status RepositoryModelLoad(grpc::ServerContext* context,
                                   const inference::RepositoryModelLoadRequest* request,
                                   inference::RepositoryModelLoadResponse* response) override;
  grpc::Status RepositoryModelUnload(grpc::ServerContext* context,
                                     const inference::RepositoryModelUnloadRequest* request,
                                     inference::RepositoryModelUnloadResponse* response) override;
  // shared_memory_methods.cc
  grpc::Status SystemSharedMemoryStatus(
      grpc::ServerContext* context, const inference::SystemSharedMemoryStatusRequest* request,
      inference::SystemSharedMemoryStatusResponse* response) override;
  grpc::Status SystemSharedMemoryRegister(
      grpc::ServerContext* context, const inference::SystemSharedMemoryRegisterRequest* request,
      inference::SystemSharedMemoryRegisterResponse* response) override;
  grpc::Status SystemSharedMemoryUnregister(
      grpc::ServerContext* context, const inference::SystemSharedMemoryUnregisterRequest* request,
      inference::SystemSharedMemoryUnregisterResponse* response) override;
  grpc::Status CudaSharedMemoryStatus(grpc::ServerContext* context,
                                      const inference::CudaSharedMemoryStatusRequest* request,
                                      inference::CudaSharedMemoryStatusResponse* response) override;
  grpc::Status CudaSharedMemoryRegister(
      grpc::ServerContext* context, const inference::CudaSharedMemoryRegisterRequest* request,
      inference::CudaSharedMemoryRegisterResponse* response) override;
  grpc::Status CudaSharedMemoryUnregister(
      grpc::ServerContext* context, const inference::CudaSharedMemoryUnregisterRequest* request,
      inference::CudaSharedMemoryUnregisterResponse* response) override;
  // settings_methods.cc
  grpc::Status TraceSetting(grpc::ServerContext* context,
                            const inference::TraceSettingRequest* request,
                            inference::TraceSettingResponse* response) override;
  grpc::Status LogSettings(grpc::ServerContext* context,
                           const inference::LogSettingsRequest* request,
                           inference::LogSettingsResponse* response) override;

 private:
  template <typename Method>
  grpc::Status Guarded(const grpc::ServerContext* context, const Operation& operation,
                       const Method& method) {
    return server::Guarded(door_, context, operation, method);
  }

  const FrontDoor& door_;
};

}  // namespace omserve::server
