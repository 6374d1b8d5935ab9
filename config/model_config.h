// SPDX-License-Identifier: Apache-2.0
// A model's configuration: read from its folder, checked, and completed from its compiled file.
//
// Source: Triton's model configuration; `.pipeline` is omserve's own.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/source_map.h"
#include "config/text_binding.h"
#include "proto/inference/model_config.pb.h"
#include "runtime/base/tensor.h"

namespace omserve::config {

inline constexpr char kBackendName[] = "ascend";
inline constexpr char kModelPlatform[] = "omserve_om";
inline constexpr char kPipelinePlatform[] = "omserve_pipeline";
inline constexpr char kEnsemblePlatform[] = "ensemble";
inline constexpr char kDefaultModelFilename[] = "model.om";

struct LoadedModelConfig {
  inference::ModelConfig config;
  SourceMap source;                   // Where each field of `config` stands; empty without a file.
  std::vector<std::string> warnings;  // Settings that are accepted and not followed, a line each.
};

// Reads `model_folder`/config.yaml or config.pbtxt, and checks it against `model_name`, by default
// the folder's name; nullopt when there is neither.
// Blocks on the disk. Errors: as ParseModelConfig; kInvalidArgument also when both are there.
absl::StatusOr<std::optional<LoadedModelConfig>> LoadModelConfig(
    const std::string& model_folder, const std::string& model_name = "");

// The same from text, as in a load request that brings its configuration. `file` is the name that
// errors show. An empty config.name becomes `model_name`.
// Errors: kInvalidArgument and kUnimplemented, one "FILE:LINE:COLUMN: key ..." line for each error.
absl::StatusOr<LoadedModelConfig> ParseModelConfig(TextFormat format, const std::string& text,
                                                   const std::string& file,
                                                   const std::string& model_name);

// Every rule that needs no other file; returns the warnings. ParseModelConfig calls it.
// Errors: kInvalidArgument; kUnimplemented when all that is wrong is not followed here.
absl::StatusOr<std::vector<std::string>> ValidateModelConfig(const inference::ModelConfig& config,
                                                             const std::string& model_name,
                                                             const SourceMap& source);

// The name of the compiled file in a version's folder. A name that configurations of other servers
// have, such as model.onnx, is that of what it was compiled from.
std::string CompiledFilename(const inference::ModelConfig& config);

// Whether the model is steps over other models, with no compiled file of its own.
bool IsPipeline(const inference::ModelConfig& config);

// What the compiled file says of itself.
struct ModelShape {
  std::string model_name;  // The folder's name.
  // With the batch dimension first when has_batch; -1 where a gear decides.
  std::vector<TensorSpec> inputs;
  std::vector<TensorSpec> outputs;
  bool has_batch = false;
  std::vector<int> batch_sizes;  // Compiled batches, any order; not empty when has_batch.
};

// Fills in whatever the configuration leaves out, and checks what it says against the file: name,
// backend, platform, file name, max_batch_size (the largest compiled batch; 0 without one; more
// than it is a warning), inputs
// and outputs (dims without the batch dimension when max_batch_size > 0; a -1 where the file has a
// size takes the file's; where there is a reshape, its shape is the file's), version_policy,
// instance_group, and dynamic_batching {} when max_batch_size > 1. For a model without a
// configuration start from LoadedModelConfig{}. Requires !IsPipeline. Errors: kInvalidArgument with
// both shapes and the smallest change.
absl::Status CompleteModelConfig(LoadedModelConfig& loaded, const ModelShape& shape);

// The same for a pipeline: name, platform, version_policy, and `pipeline` from an
// ensemble_scheduling block. Requires IsPipeline.
void CompletePipelineConfig(LoadedModelConfig& loaded, const std::string& model_name);

// An ensemble_scheduling block as the pipeline that means the same; steps are named after their
// models, "NAME_2" and so on where a model comes again. `config` keeps the block, which is what
// clients wrote. Does nothing without one.
void EnsembleToPipeline(inference::ModelConfig& config);

// The queue policy of requests of one priority: its own, else the default one.
const inference::ModelQueuePolicy& QueuePolicyOf(const inference::ModelConfig& config,
                                                 uint64_t priority);

// kInvalid and TYPE_INVALID stand for each other and for every number that is no type.
DataType FromConfigType(inference::DataType type);
inference::DataType ToConfigType(DataType type);
// Dims as in the configuration: without the batch dimension when max_batch_size > 0.
TensorSpec ToTensorSpec(const inference::ModelInput& input);
TensorSpec ToTensorSpec(const inference::ModelOutput& output);

}  // namespace omserve::config
