// SPDX-License-Identifier: Apache-2.0
// What a model's configuration says of its answers: model_transaction_policy.
#pragma once

#include "config/source_map.h"
#include "proto/inference/model_config.pb.h"

namespace omserve::config {

// Errors: what cannot stand beside `decoupled`, and what needs it.
void CheckTransactionPolicy(const inference::ModelConfig& config, Findings& findings);

}  // namespace omserve::config
