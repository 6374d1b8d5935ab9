// SPDX-License-Identifier: Apache-2.0
// What the server as a whole is and does.
#include <string>
#include <string_view>

#include "server/core/extensions.h"
#include "server/grpc/guard.h"
#include "server/grpc/rpc_methods.h"

namespace omserve::server {

using grpc::ServerContext;
using grpc::Status;

Status InferenceService::ServerLive(ServerContext* context,
                                    const inference::ServerLiveRequest* /*request*/,
                                    inference::ServerLiveResponse* response) {
  return Guarded(context, MethodGroup::kHealth, [&]() -> absl::Status {
    response->set_live(door_.lifecycle.live());
    return absl::OkStatus();
  });
}

Status InferenceService::ServerReady(ServerContext* context,
                                     const inference::ServerReadyRequest* /*request*/,
                                     inference::ServerReadyResponse* response) {
  return Guarded(context, MethodGroup::kHealth, [&]() -> absl::Status {
    response->set_ready(door_.lifecycle.ready());
    return absl::OkStatus();
  });
}

Status InferenceService::ServerMetadata(ServerContext* context,
                                        const inference::ServerMetadataRequest* /*request*/,
                                        inference::ServerMetadataResponse* response) {
  return Guarded(context, MethodGroup::kMetadata, [&]() -> absl::Status {
    response->set_name(door_.name);
    response->set_version(door_.version);
    for (const std::string_view extension : kExtensions) {
      response->add_extensions(std::string(extension));
    }
    return absl::OkStatus();
  });
}

}  // namespace omserve::server
