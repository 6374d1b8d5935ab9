// SPDX-License-Identifier: Apache-2.0
// Memory that clients share with the server.
#include "server/grpc/guard.h"
#include "server/grpc/rpc_methods.h"

namespace omserve::server {

using grpc::ServerContext;
using grpc::Status;

Status InferenceService::SystemSharedMemoryStatus(
    ServerContext* context, const inference::SystemSharedMemoryStatusRequest* /*request*/,
    inference::SystemSharedMemoryStatusResponse* /*response*/) {
  return Guarded(context, MethodGroup::kSharedMemory,
                 [] { return NotBuilt("SystemSharedMemoryStatus"); });
}

Status InferenceService::SystemSharedMemoryRegister(
    ServerContext* context, const inference::SystemSharedMemoryRegisterRequest* /*request*/,
    inference::SystemSharedMemoryRegisterResponse* /*response*/) {
  return Guarded(context, MethodGroup::kSharedMemory,
                 [] { return NotBuilt("SystemSharedMemoryRegister"); });
}

Status InferenceService::SystemSharedMemoryUnregister(
    ServerContext* context, const inference::SystemSharedMemoryUnregisterRequest* /*request*/,
    inference::SystemSharedMemoryUnregisterResponse* /*response*/) {
  return Guarded(context, MethodGroup::kSharedMemory,
                 [] { return NotBuilt("SystemSharedMemoryUnregister"); });
}

Status InferenceService::CudaSharedMemoryStatus(
    ServerContext* context, const inference::CudaSharedMemoryStatusRequest* /*request*/,
    inference::CudaSharedMemoryStatusResponse* /*response*/) {
  return Guarded(context, MethodGroup::kSharedMemory,
                 [] { return NotBuilt("CudaSharedMemoryStatus"); });
}

Status InferenceService::CudaSharedMemoryRegister(
    ServerContext* context, const inference::CudaSharedMemoryRegisterRequest* /*request*/,
    inference::CudaSharedMemoryRegisterResponse* /*response*/) {
  return Guarded(context, MethodGroup::kSharedMemory,
                 [] { return NotBuilt("CudaSharedMemoryRegister"); });
}

Status InferenceService::CudaSharedMemoryUnregister(
    ServerContext* context, const inference::CudaSharedMemoryUnregisterRequest* /*request*/,
    inference::CudaSharedMemoryUnregisterResponse* /*response*/) {
  return Guarded(context, MethodGroup::kSharedMemory,
                 [] { return NotBuilt("CudaSharedMemoryUnregister"); });
}

}  // namespace omserve::server
