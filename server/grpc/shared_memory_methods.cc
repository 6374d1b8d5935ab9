// SPDX-License-Identifier: Apache-2.0
// Memory that clients share with the server.
#include "server/core/shared_memory.h"
#include "server/grpc/guard.h"
#include "server/grpc/rpc_methods.h"

namespace omserve::server {

using grpc::ServerContext;
using grpc::Status;

Status InferenceService::SystemSharedMemoryStatus(
    ServerContext* context, const inference::SystemSharedMemoryStatusRequest* request,
    inference::SystemSharedMemoryStatusResponse* response) {
  return Guarded(context, MethodGroup::kSharedMemory, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const std::vector<SharedMemory::Region> regions,
                     ListShared(door_.shared_memory, request->name()));
    for (const SharedMemory::Region& region : regions) {
      auto& status = (*response->mutable_regions())[region.name];
      status.set_name(region.name);
      status.set_key(region.key);
      status.set_offset(region.offset_bytes);
      status.set_byte_size(region.size_bytes);
    }
    return absl::OkStatus();
  });
}

Status InferenceService::SystemSharedMemoryRegister(
    ServerContext* context, const inference::SystemSharedMemoryRegisterRequest* request,
    inference::SystemSharedMemoryRegisterResponse* /*response*/) {
  return Guarded(context, MethodGroup::kSharedMemory, [&] {
    return RegisterShared(door_.shared_memory, {.name = request->name(),
                                                .key = request->key(),
                                                .offset_bytes = request->offset(),
                                                .size_bytes = request->byte_size()});
  });
}

Status InferenceService::SystemSharedMemoryUnregister(
    ServerContext* context, const inference::SystemSharedMemoryUnregisterRequest* request,
    inference::SystemSharedMemoryUnregisterResponse* /*response*/) {
  return Guarded(context, MethodGroup::kSharedMemory, [&] {
    UnregisterShared(door_.shared_memory, request->name());
    return absl::OkStatus();
  });
}

Status InferenceService::CudaSharedMemoryStatus(
    ServerContext* context, const inference::CudaSharedMemoryStatusRequest* request,
    inference::CudaSharedMemoryStatusResponse* /*response*/) {
  return Guarded(context, MethodGroup::kSharedMemory,
                 [&] { return FindNoCudaMemory(request->name()); });
}

Status InferenceService::CudaSharedMemoryRegister(
    ServerContext* context, const inference::CudaSharedMemoryRegisterRequest* request,
    inference::CudaSharedMemoryRegisterResponse* /*response*/) {
  return Guarded(context, MethodGroup::kSharedMemory,
                 [&] { return RefuseCudaMemory(request->name()); });
}

Status InferenceService::CudaSharedMemoryUnregister(
    ServerContext* context, const inference::CudaSharedMemoryUnregisterRequest* /*request*/,
    inference::CudaSharedMemoryUnregisterResponse* /*response*/) {
  return Guarded(context, MethodGroup::kSharedMemory, [] { return absl::OkStatus(); });
}

}  // namespace omserve::server
