// SPDX-License-Identifier: Apache-2.0
// Settings that clients may change.
#include "server/grpc/guard.h"
#include "server/grpc/rpc_methods.h"

namespace omserve::server {

using grpc::ServerContext;
using grpc::Status;

Status InferenceService::TraceSetting(ServerContext* context,
                                      const inference::TraceSettingRequest* /*request*/,
                                      inference::TraceSettingResponse* /*response*/) {
  return Guarded(context, MethodGroup::kTrace, [] { return NotBuilt("TraceSetting"); });
}

Status InferenceService::LogSettings(ServerContext* context,
                                     const inference::LogSettingsRequest* /*request*/,
                                     inference::LogSettingsResponse* /*response*/) {
  return Guarded(context, MethodGroup::kLogging, [] { return NotBuilt("LogSettings"); });
}

}  // namespace omserve::server
