// SPDX-License-Identifier: Apache-2.0
// Which parts of Triton's model configuration are followed here. Two lists: what is refused, since
// an answer would be wrong without it, with what to do instead; and what is accepted with a
// warning, since it only speeds up, places or measures.
#include <fmt/format.h>

#include <string>
#include <string_view>

#include "config/metrics_check.h"
#include "config/model_config.h"
#include "config/model_config_check.h"
#include "config/transaction_check.h"

namespace omserve::config {
namespace {

using inference::ModelConfig;

void RefuseIf(bool given, std::string_view path, std::string_view why, Findings& findings) {
  if (given) {
    findings.Unsupported(path, why);
  }
}

void WarnIf(bool given, std::string_view path, std::string_view why, Findings& findings) {
  if (given) {
    findings.Warn(path, fmt::format("accepted and ignored: {}", why));
  }
}

constexpr char kNoShapeTensors[] =
    "a compiled model has fixed sizes and takes none from a tensor's values; compile a gear for "
    "each "
    "size that is needed, and remove the key";
constexpr char kNoRaggedBatches[] =
    "a compiled model has rows of one size, so requests of other dims run in batches of their own; "
    "remove the key, and list dims that may be filled up to a compiled length in padding";
constexpr char kNoBatchTensors[] =
    "rows of a batch have one size, and no tensor has to tell where each begins; export the model "
    "with a batch dimension, and remove the key";

void CheckTensorSupport(const ModelConfig& config, Findings& findings) {
  for (int i = 0; i < config.input_size(); ++i) {
    const inference::ModelInput& input = config.input(i);
    const std::string path = IndexedPath("input", static_cast<size_t>(i));
    RefuseIf(input.is_shape_tensor(), FieldPath(path, "is_shape_tensor"), kNoShapeTensors,
             findings);
    RefuseIf(input.allow_ragged_batch(), FieldPath(path, "allow_ragged_batch"), kNoRaggedBatches,
             findings);
    WarnIf(input.is_non_linear_format_io(), FieldPath(path, "is_non_linear_format_io"),
           "a TensorRT setting", findings);
  }
  for (int i = 0; i < config.output_size(); ++i) {
    const inference::ModelOutput& output = config.output(i);
    const std::string path = IndexedPath("output", static_cast<size_t>(i));
    RefuseIf(output.is_shape_tensor(), FieldPath(path, "is_shape_tensor"), kNoShapeTensors,
             findings);
    WarnIf(output.is_non_linear_format_io(), FieldPath(path, "is_non_linear_format_io"),
           "a TensorRT setting", findings);
  }
}

void CheckInstanceSupport(const ModelConfig& config, Findings& findings) {
  for (int i = 0; i < config.instance_group_size(); ++i) {
    const inference::ModelInstanceGroup& group = config.instance_group(i);
    const std::string path = IndexedPath("instance_group", static_cast<size_t>(i));
    RefuseIf(group.passive(), FieldPath(path, "passive"),
             "an instance that takes no requests would only hold memory; remove the group",
             findings);
    WarnIf(group.kind() == inference::ModelInstanceGroup::KIND_GPU ||
               group.kind() == inference::ModelInstanceGroup::KIND_CPU,
           FieldPath(path, "kind"), "instances run on Ascend devices; gpus lists their ids",
           findings);
    WarnIf(!group.secondary_devices().empty(), FieldPath(path, "secondary_devices"),
           "an NVIDIA setting", findings);
    WarnIf(!group.profile().empty(), FieldPath(path, "profile"),
           "a TensorRT setting; a compiled file's gears are all used", findings);
    WarnIf(!group.host_policy().empty(), FieldPath(path, "host_policy"),
           "there are no host policies", findings);
    WarnIf(group.rate_limiter().priority() != 0 && group.rate_limiter().resources().empty(),
           FieldPath(path, "rate_limiter.priority"),
           "an instance that needs no resources waits for no turn", findings);
  }
}

void CheckEnsembleSupport(const ModelConfig& config, Findings& findings) {
  const inference::ModelEnsembling& ensemble = config.ensemble_scheduling();
  WarnIf(ensemble.max_inflight_requests() > 0, "ensemble_scheduling.max_inflight_requests",
         "a step runs once for each request, and waits while the memory for its outputs, which is "
         "reserved at load, is taken: no step can get ahead of the next one",
         findings);
  for (int i = 0; i < ensemble.step_size(); ++i) {
    RefuseIf(!ensemble.step(i).model_namespace().empty(),
             FieldPath(IndexedPath("ensemble_scheduling.step", static_cast<size_t>(i)),
                       "model_namespace"),
             "a name is that of one model in all repositories; give models names of their own, and "
             "remove the key",
             findings);
  }
}

void CheckOptimizationSupport(const inference::ModelOptimizationPolicy& policy,
                              Findings& findings) {
  WarnIf(policy.has_graph(), "optimization.graph", "graphs are optimised by the compiler",
         findings);
  WarnIf(policy.priority() != 0, "optimization.priority",
         "use dynamic_batching.priority_levels instead", findings);
  WarnIf(policy.has_cuda(), "optimization.cuda", "a CUDA setting", findings);
  WarnIf(policy.has_execution_accelerators(), "optimization.execution_accelerators",
         "the compiled file is what runs", findings);
  WarnIf(policy.has_input_pinned_memory(), "optimization.input_pinned_memory",
         "inputs are always staged in pinned memory", findings);
  WarnIf(policy.has_output_pinned_memory(), "optimization.output_pinned_memory",
         "outputs are always staged in pinned memory", findings);
  WarnIf(policy.gather_kernel_buffer_threshold() > 0, "optimization.gather_kernel_buffer_threshold",
         "a CUDA setting", findings);
  WarnIf(policy.eager_batching(), "optimization.eager_batching",
         "the copies of a batch overlap the execution of the one before", findings);
}

}  // namespace

void CheckSupport(const ModelConfig& config, Findings& findings) {
  CheckMetrics(config, findings);
  if (config.response_cache().enable() && config.has_sequence_batching()) {
    findings.Error("response_cache.enable",
                   "cannot stand beside sequence_batching: an answer depends on the requests "
                   "before it; remove one of them");
  }
  RefuseIf(!config.batch_input().empty(), "batch_input", kNoBatchTensors, findings);
  RefuseIf(!config.batch_output().empty(), "batch_output", kNoBatchTensors, findings);
  CheckTransactionPolicy(config, findings);
  WarnIf(IsPipeline(config) && !config.model_warmup().empty(), "model_warmup",
         "a pipeline has no instances of its own; write it in the models of its steps", findings);
  RefuseIf(!config.model_repository_agents().agents().empty(), "model_repository_agents",
           "nothing is run on a model's files before it is loaded; check or unpack them when they "
           "are put into the repository, and remove the key",
           findings);
  CheckTensorSupport(config, findings);
  CheckInstanceSupport(config, findings);
  CheckEnsembleSupport(config, findings);
  CheckOptimizationSupport(config.optimization(), findings);
  WarnIf(!config.runtime().empty(), "runtime", "there is one runtime", findings);
  WarnIf(!config.cc_model_filenames().empty(), "cc_model_filenames",
         "file names by CUDA capability; default_model_filename is used", findings);
  WarnIf(!config.model_operations().op_library_filename().empty(), "model_operations",
         "custom operations are compiled into the file", findings);
  WarnIf(config.has_dynamic_batching() && config.max_batch_size() == 1, "dynamic_batching",
         "batches of 1 row have nothing to merge", findings);
}

}  // namespace omserve::config
