// SPDX-License-Identifier: Apache-2.0
// The parts of ValidateModelConfig that stand in files of their own.
#pragma once

#include <string>

#include "config/model_config.h"
#include "config/source_map.h"
#include "proto/inference/model_config.pb.h"

namespace omserve::config {

// The steps of `pipeline` or `ensemble_scheduling` and the tensors that join them: every tensor
// that is read is made exactly once, no step waits for itself, every output is made.
void CheckPipeline(const inference::ModelConfig& config, const std::string& model_name,
                   Findings& findings);

// Batch sizes against config.max_batch_size, which must be final.
void CheckBatchSizes(const inference::ModelConfig& config, Findings& findings);

// `sequence_batching` by itself; and against the compiled file, filling in what is left out: the
// strategy, the idle time, and the types and dims of states. config.max_batch_size must be final
// for the second.
void CheckSequenceBatching(const inference::ModelConfig& config, Findings& findings);
void CompleteSequenceBatching(inference::ModelConfig& config, const ModelShape& shape,
                              Findings& findings);
// Whether the server makes this input: a control or a state.
bool IsServerMade(const inference::ModelConfig& config, const std::string& input);
// Whether this output is a state, which clients do not see unless `output` lists it.
bool IsStateOutput(const inference::ModelConfig& config, const std::string& output);

// `model_warmup`, whatever the model's tensors are.
void CheckWarmUp(const inference::ModelConfig& config, Findings& findings);

// A warning for each setting that only means something elsewhere, and kUnimplemented for each that
// would change answers and is not followed.
void CheckSupport(const inference::ModelConfig& config, Findings& findings);

}  // namespace omserve::config
