// SPDX-License-Identifier: Apache-2.0
// Models that keep state between requests: from the configuration to what the scheduler needs, and
// what a request must say of its sequence.
#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "proto/inference/model_config.pb.h"
#include "scheduler/batch_policy.h"
#include "scheduler/sequence.h"
#include "scheduler/subgraph.h"
#include "server/core/inference.h"

namespace omserve::server {

// `config` is complete; `shape` is that of its file, without gears that are not used. nullopt
// without sequence_batching. Reads the files of initial states, in `folder`/initial_state. Errors:
// kInvalidArgument naming the file and its size, or a tensor that differs between gears;
// kNotFound for a file that is not there.
absl::StatusOr<std::optional<scheduler::SequenceSpec>> MakeSequenceSpec(
    const inference::ModelConfig& config, const scheduler::SubgraphShape& shape,
    const std::string& folder);

// When its batches leave. Requires sequence_batching.
scheduler::BatchPolicyOptions SequencePolicyOf(const inference::ModelConfig& config,
                                               const scheduler::SequenceSpec& spec);

// Of an id as a client wrote it. Errors: kInvalidArgument for a text that is too long.
absl::Status CheckSequenceId(const scheduler::SequenceId& id);

// Of a request of `rows` rows. A model without sequences does not look at what the call says of
// one. Errors, in Triton's words: kInvalidArgument without an id, for several rows, and for an id
// that the model's CORRID input cannot hold.
absl::Status CheckSequence(const Model& model, const scheduler::SequenceTurn& turn, int rows);

}  // namespace omserve::server
