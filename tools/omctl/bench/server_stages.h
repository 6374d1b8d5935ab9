// SPDX-License-Identifier: Apache-2.0
// The server's own account of a model's requests.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "tools/client/grpc_client.h"
#include "tools/omctl/bench/window.h"

namespace omserve::bench {

// The counters of `model` so far; of all versions when `version` is empty. `total_ns` is 0 for a
// server that does not split times, such as Triton. Errors: the call's.
absl::StatusOr<ServerStages> ReadServerStages(client::GrpcClient& client, const std::string& model,
                                              const std::string& version);

}  // namespace omserve::bench
