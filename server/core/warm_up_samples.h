// SPDX-License-Identifier: Apache-2.0
// The samples of model_warmup: from the configuration to bytes that instances run before they
// serve.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/inference/model_config.pb.h"
#include "scheduler/subgraph.h"
#include "scheduler/warm_up_sample.h"

namespace omserve::server {

// `config` is complete; `shape` is that of its file as clients see it. Reads input_data_file from
// `folder`/warmup: one row, which all rows are then, or all rows. Random data is the same at every
// load: floating point numbers from 0.5 to 1, whole numbers from 0 to 7. What a sample leaves out
// that a request may, and what the server makes, is zeros. Errors: kInvalidArgument naming the
// sample, the input, what it has and what was expected; kNotFound for a file that is not there.
absl::StatusOr<std::vector<scheduler::WarmUpSample>> MakeWarmUpSamples(
    const inference::ModelConfig& config, const scheduler::SubgraphShape& shape,
    const std::string& folder);

}  // namespace omserve::server
