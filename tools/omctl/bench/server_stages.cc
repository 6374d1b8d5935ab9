// SPDX-License-Identifier: Apache-2.0
#include "tools/omctl/bench/server_stages.h"

#include "runtime/base/status_macros.h"

namespace omserve::bench {

absl::StatusOr<ServerStages> ReadServerStages(client::GrpcClient& client, const std::string& model,
                                              const std::string& version) {
  inference::ModelStatisticsRequest request;
  request.set_name(model);
  request.set_version(version);
  ASSIGN_OR_RETURN(const inference::ModelStatisticsResponse response,
                   client.Call(&inference::GRPCInferenceService::Stub::ModelStatistics, request));
  ServerStages sum;
  for (const inference::ModelStatistics& stats : response.model_stats()) {
    sum.Add({.requests = stats.request_total().count(),
             .total_ns = stats.request_total().ns(),
             .queue_ns = stats.request_queue().ns(),
             .input_ns = stats.request_input().ns(),
             .compute_ns = stats.request_compute().ns(),
             .output_ns = stats.request_output().ns(),
             .overhead_ns = stats.request_overhead().ns(),
             .rows = stats.inference_count(),
             .executions = stats.execution_count()});
  }
  return sum;
}

}  // namespace omserve::bench
