// SPDX-License-Identifier: Apache-2.0
// The rules of a model configuration that hold whatever its file looks like.
#include "config/model_config_check.h"

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "config/model_config.h"
#include "config/reshape.h"
#include "runtime/base/errors.h"

namespace omserve::config {
namespace {

constexpr double kMostLatencyRatio = 1000;

using inference::ModelConfig;

// A path below the model's folder: relative, without "..".
bool StaysInside(std::string_view path) {
  if (path.starts_with('/')) {
    return false;
  }
  while (true) {
    const size_t end = path.find('/');
    if (path.substr(0, end) == "..") {
      return false;
    }
    if (end == std::string_view::npos) {
      return true;
    }
    path.remove_prefix(end + 1);
  }
}

// Runtimes of other servers whose models can be compiled for this one: a configuration that was
// written for them is taken as it is. Others run code of the model's own, which is not here.
constexpr std::string_view kForeignRuntimes[] = {
    "onnxruntime",         "onnxruntime_onnx", "openvino", "pytorch",
    "pytorch_libtorch",    "tensorflow",       "tensorrt", "tensorflow_savedmodel",
    "tensorflow_graphdef", "tensorrt_plan"};

// Of models before they are compiled.
constexpr std::string_view kForeignSuffixes[] = {".onnx", ".plan",     ".pt",        ".xml",
                                                 ".pth",  ".graphdef", ".savedmodel"};

bool IsForeignRuntime(std::string_view name) {
  return std::find(std::begin(kForeignRuntimes), std::end(kForeignRuntimes), name) !=
         std::end(kForeignRuntimes);
}

// `expected`: the one of this server; empty: none, since a pipeline has no backend.
void CheckRuntime(std::string_view key, const std::string& given, std::string_view expected,
                  Findings& findings) {
  if (given.empty() || given == expected) {
    return;
  }
  const bool is_model = expected == kBackendName || expected == kModelPlatform;
  if (is_model && IsForeignRuntime(given)) {
    findings.Warn(key, fmt::format("accepted and ignored: the compiled model is what runs, on {}",
                                   Quoted(expected)));
    return;
  }
  findings.Error(key, fmt::format("expected {}, got {}; leave the key out",
                                  expected.empty() ? "nothing for a pipeline" : Quoted(expected),
                                  Quoted(given)));
}

void CheckIdentity(const ModelConfig& config, const std::string& model_name, Findings& findings) {
  if (!config.name().empty() && config.name() != model_name) {
    findings.Error("name", fmt::format("got {}, but the model's folder is '{}'; rename one of them "
                                       "or leave the key out",
                                       Quoted(config.name()), model_name));
  }
  const bool pipeline = IsPipeline(config);
  CheckRuntime("backend", config.backend(), pipeline ? "" : kBackendName, findings);
  CheckRuntime("platform", config.platform(),
               !pipeline               ? kModelPlatform
               : config.has_pipeline() ? kPipelinePlatform
                                       : kEnsemblePlatform,
               findings);
  const std::string& file = config.default_model_filename();
  if (pipeline && !file.empty()) {
    findings.Error("default_model_filename",
                   "a pipeline has no file of its own; leave the key out");
  } else if (!StaysInside(file) || file.find('/') != std::string::npos || file == ".") {
    findings.Error(
        "default_model_filename",
        fmt::format("expected the name of a file in the version's folder, got {}", Quoted(file)));
  } else if (!file.empty() && CompiledFilename(config) != file) {
    findings.Warn("default_model_filename",
                  fmt::format("accepted and ignored: the compiled model is what runs, from '{}'",
                              CompiledFilename(config)));
  }
}

void CheckVersions(const ModelConfig& config, Findings& findings) {
  const inference::ModelVersionPolicy& policy = config.version_policy();
  if (policy.has_latest() && policy.latest().num_versions() < 1) {
    findings.Error("version_policy.latest.num_versions", "expected at least 1, got 0");
  }
  if (!policy.has_specific()) {
    return;
  }
  if (policy.specific().versions().empty()) {
    findings.Error("version_policy.specific", "names no version; list at least one");
  }
  std::set<int64_t> seen;
  for (int i = 0; i < policy.specific().versions_size(); ++i) {
    const int64_t version = policy.specific().versions(i);
    const std::string path =
        IndexedPath("version_policy.specific.versions", static_cast<size_t>(i));
    if (version < 1) {
      findings.Error(path, fmt::format("expected a version of 1 or more, got {}", version));
    } else if (!seen.insert(version).second) {
      findings.Error(path, fmt::format("version {} is listed twice", version));
    }
  }
}

void CheckDims(const std::string& path, const Dims& dims, Findings& findings) {
  for (size_t i = 0; i < dims.size(); ++i) {
    if (dims[i] != -1 && dims[i] < 1) {
      findings.Error(IndexedPath(path, i),
                     fmt::format("expected 1 or more, or -1 for any size, got {} in {}", dims[i],
                                 DimsToString(dims)));
    }
  }
}

// Against the compiled file it is checked once that is known.
void CheckReshape(const std::string& path, const Dims& dims,
                  const inference::ModelTensorReshape& reshape, bool of_pipeline,
                  Findings& findings) {
  if (of_pipeline) {
    findings.Error(FieldPath(path, "reshape"),
                   "a pipeline passes tensors on with the dims that its steps have; write reshape "
                   "in the configuration of the step's model");
    return;
  }
  const Dims shape(reshape.shape().begin(), reshape.shape().end());
  const size_t errors = findings.count();
  CheckDims(FieldPath(path, "reshape.shape"), shape, findings);
  if (dims.empty()) {
    findings.Error(FieldPath(path, "reshape"),
                   fmt::format("expected dims beside it, those that clients see, got none; shape "
                               "is what the model has, {}",
                               DimsToString(shape)));
  }
  if (findings.count() > errors) {
    return;
  }
  const std::string wrong = ReshapeError(dims, shape);
  if (!wrong.empty()) {
    findings.Error(
        FieldPath(path, "reshape.shape"),
        fmt::format("got {} for dims {}, but {}", DimsToString(shape), DimsToString(dims), wrong));
  }
}

// `list` is "input" or "output". What a compiled file says may be left out; a pipeline has none.
template <typename Tensors>
void CheckTensors(const ModelConfig& config, const char* list, const Tensors& tensors,
                  Findings& findings) {
  std::set<std::string> names;
  for (int i = 0; i < tensors.size(); ++i) {
    const TensorSpec spec = ToTensorSpec(tensors[i]);
    const std::string path = IndexedPath(list, static_cast<size_t>(i));
    const std::string type_path = FieldPath(path, "data_type");
    if (spec.name.empty()) {
      findings.Error(FieldPath(path, "name"), "expected the tensor's name, got nothing");
    } else if (!names.insert(spec.name).second) {
      findings.Error(FieldPath(path, "name"),
                     fmt::format("{} is already the name of another {}", Quoted(spec.name), list));
    }
    if (!inference::DataType_IsValid(tensors[i].data_type())) {
      findings.Error(type_path, fmt::format("{} is no data type; write TYPE_FP32 or the like",
                                            static_cast<int>(tensors[i].data_type())));
    } else if (spec.type == DataType::kInvalid && IsPipeline(config)) {
      findings.Error(type_path, fmt::format("expected the data type of {} '{}', got nothing", list,
                                            Shown(spec.name)));
    }
    if (spec.dims.empty() && IsPipeline(config)) {
      findings.Error(FieldPath(path, "dims"),
                     fmt::format("expected the dims of {} '{}', got none", list, Shown(spec.name)));
    }
    const size_t errors = findings.count();
    CheckDims(FieldPath(path, "dims"), spec.dims, findings);
    if (tensors[i].has_reshape() && findings.count() == errors) {
      CheckReshape(path, spec.dims, tensors[i].reshape(), IsPipeline(config), findings);
    }
  }
}

void CheckFormats(const ModelConfig& config, Findings& findings) {
  for (int i = 0; i < config.input_size(); ++i) {
    const inference::ModelInput& input = config.input(i);
    if (input.format() != inference::ModelInput::FORMAT_NONE && input.dims_size() != 3 &&
        input.dims_size() != 0) {
      findings.Error(FieldPath(IndexedPath("input", static_cast<size_t>(i)), "format"),
                     fmt::format("{} needs 3 dims, input '{}' has {}",
                                 inference::ModelInput::Format_Name(input.format()),
                                 Shown(input.name()), input.dims_size()));
    }
  }
  for (int i = 0; i < config.output_size(); ++i) {
    const std::string& labels = config.output(i).label_filename();
    if (!StaysInside(labels)) {
      findings.Error(FieldPath(IndexedPath("output", static_cast<size_t>(i)), "label_filename"),
                     fmt::format("expected a file in the model's folder, got {}; write a relative "
                                 "path without '..'",
                                 Quoted(labels)));
    }
  }
}

void CheckPriorities(const inference::ModelDynamicBatching& batching, Findings& findings) {
  const uint64_t levels = batching.priority_levels();
  const uint64_t level = batching.default_priority_level();
  if (batching.preserve_ordering() && levels > 1) {
    findings.Error("dynamic_batching.preserve_ordering",
                   fmt::format("cannot hold with priority_levels {}; drop one of the two", levels));
  }
  if (levels > 0 && (level < 1 || level > levels)) {
    findings.Error("dynamic_batching.default_priority_level",
                   fmt::format("expected 1 to {} (priority_levels), got {}", levels, level));
  }
  if (levels == 0 && level > 0) {
    findings.Error("dynamic_batching.default_priority_level",
                   fmt::format("got {}, but there are no priorities; set priority_levels", level));
  }
  if (batching.default_queue_policy().timeout_action() == inference::ModelQueuePolicy::DELAY &&
      batching.default_queue_policy().default_timeout_microseconds() == 0) {
    findings.Error("dynamic_batching.default_queue_policy.timeout_action",
                   "DELAY needs default_timeout_microseconds: without one nothing is ever delayed");
  }
  for (const auto& entry : batching.priority_queue_policy()) {
    if (entry.second.timeout_action() == inference::ModelQueuePolicy::DELAY &&
        entry.second.default_timeout_microseconds() == 0) {
      findings.Error(
          FieldPath(
              KeyedPath("dynamic_batching.priority_queue_policy", fmt::format("{}", entry.first)),
              "timeout_action"),
          "DELAY needs default_timeout_microseconds: without one nothing is ever delayed");
    }
    if (entry.first < 1 || entry.first > levels) {
      findings.Error(
          KeyedPath("dynamic_batching.priority_queue_policy", fmt::format("{}", entry.first)),
          fmt::format("expected a level from 1 to {} (priority_levels)", levels));
    }
  }
}

void CheckPaddedDims(const std::string& path,
                     const google::protobuf::RepeatedPtrField<inference::ModelPadding::Dim>& dims,
                     std::set<std::pair<std::string, int>>& seen, Findings& findings) {
  for (int d = 0; d < dims.size(); ++d) {
    const std::string dim_path = IndexedPath(path, static_cast<size_t>(d));
    if (dims[d].name().empty()) {
      findings.Error(FieldPath(dim_path, "name"), "expected the tensor's name, got nothing");
    } else if (dims[d].dim() < 0) {
      findings.Error(FieldPath(dim_path, "dim"),
                     fmt::format("expected 0 or more, got {}; the batch dimension does not count",
                                 dims[d].dim()));
    } else if (!seen.emplace(dims[d].name(), dims[d].dim()).second) {
      findings.Error(dim_path, fmt::format("dim {} of '{}' is listed twice", dims[d].dim(),
                                           Shown(dims[d].name())));
    }
  }
}

// Whether the tensors are there is known with the compiled file.
void CheckPadding(const ModelConfig& config, Findings& findings) {
  std::set<std::pair<std::string, int>> inputs;
  std::set<std::pair<std::string, int>> outputs;
  for (int i = 0; i < config.padding_size(); ++i) {
    const std::string path = IndexedPath("padding", static_cast<size_t>(i));
    if (config.padding(i).input().empty()) {
      findings.Error(FieldPath(path, "input"), "expected at least one input, got none");
    }
    CheckPaddedDims(FieldPath(path, "input"), config.padding(i).input(), inputs, findings);
    CheckPaddedDims(FieldPath(path, "output"), config.padding(i).output(), outputs, findings);
  }
}

void CheckReplacement(const ModelConfig& config, Findings& findings) {
  const inference::ModelReplacement::Probation& probation = config.replacement().probation();
  const std::string path = "replacement.probation";
  const double percent = probation.max_added_failures_percent();
  if (!(percent >= 0 && percent <= 100)) {
    findings.Error(FieldPath(path, "max_added_failures_percent"),
                   fmt::format("expected a number from 0 to 100, got {:g}", percent));
  }
  const double ratio = probation.max_latency_ratio();
  if (ratio != 0 && !(ratio >= 1 && ratio <= kMostLatencyRatio)) {
    findings.Error(
        FieldPath(path, "max_latency_ratio"),
        fmt::format("expected 0 or a number from 1 to {:g}, got {:g}", kMostLatencyRatio, ratio));
  }
  if (probation.duration_seconds() == 0 &&
      (probation.min_requests() != 0 || percent != 0 || ratio != 0)) {
    findings.Error(FieldPath(path, "duration_seconds"),
                   "expected 1 or more beside the bounds, got 0: nothing would be held against "
                   "them");
  }
}

// `is_global` holds what other groups say of a resource.
void CheckRateLimiter(const inference::ModelRateLimiter& limiter, const std::string& path,
                      std::map<std::string, bool>& is_global, Findings& findings) {
  std::set<std::string> names;
  for (int i = 0; i < limiter.resources_size(); ++i) {
    const inference::ModelRateLimiter::Resource& resource = limiter.resources(i);
    const std::string at = IndexedPath(FieldPath(path, "resources"), static_cast<size_t>(i));
    if (resource.name().empty()) {
      findings.Error(FieldPath(at, "name"), "expected the resource's name, got nothing");
    } else if (!names.insert(resource.name()).second) {
      findings.Error(FieldPath(at, "name"),
                     fmt::format("{} is listed twice", Quoted(resource.name())));
    } else if (is_global.try_emplace(resource.name(), resource.global()).first->second !=
               resource.global()) {
      findings.Error(FieldPath(at, "global"),
                     fmt::format("resource {} is global in one group and of each device in another",
                                 Quoted(resource.name())));
    }
  }
}

void CheckInstances(const ModelConfig& config, Findings& findings) {
  std::map<std::string, bool> is_global;
  if (IsPipeline(config) && !config.instance_group().empty()) {
    findings.Error("instance_group",
                   "a pipeline has no instances of its own; set it on the models of its steps");
  }
  for (int i = 0; i < config.instance_group_size(); ++i) {
    const inference::ModelInstanceGroup& group = config.instance_group(i);
    const std::string path = IndexedPath("instance_group", static_cast<size_t>(i));
    if (group.count() < 0) {
      findings.Error(FieldPath(path, "count"),
                     fmt::format("expected 1 or more (0 means 1), got {}", group.count()));
    }
    CheckRateLimiter(group.rate_limiter(), FieldPath(path, "rate_limiter"), is_global, findings);
    std::set<int> devices;
    for (const int device : group.gpus()) {
      if (device < 0) {
        findings.Error(FieldPath(path, "gpus"),
                       fmt::format("expected device ids of 0 or more, got {}", device));
      } else if (!devices.insert(device).second) {
        findings.Error(FieldPath(path, "gpus"), fmt::format("device {} is listed twice", device));
      }
    }
  }
}

}  // namespace

void CheckBatchSizes(const ModelConfig& config, Findings& findings) {
  const inference::ModelDynamicBatching& batching = config.dynamic_batching();
  for (int i = 0; i < batching.preferred_batch_size_size(); ++i) {
    const int size = batching.preferred_batch_size(i);
    if (size < 1 || size > config.max_batch_size()) {
      findings.Error(
          IndexedPath("dynamic_batching.preferred_batch_size", static_cast<size_t>(i)),
          fmt::format("expected 1 to {} (max_batch_size), got {}", config.max_batch_size(), size));
    }
  }
}

std::string CompiledFilename(const ModelConfig& config) {
  const std::string& file = config.default_model_filename();
  const bool is_foreign =
      std::any_of(std::begin(kForeignSuffixes), std::end(kForeignSuffixes),
                  [&file](std::string_view suffix) { return file.ends_with(suffix); });
  return file.empty() || is_foreign ? kDefaultModelFilename : file;
}

absl::StatusOr<std::vector<std::string>> ValidateModelConfig(const ModelConfig& config,
                                                             const std::string& model_name,
                                                             const SourceMap& source) {
  Findings findings(source);
  CheckIdentity(config, model_name, findings);
  if (config.max_batch_size() < 0) {
    findings.Error("max_batch_size", fmt::format("expected 0 or more, got {}; 0 means no batch "
                                                 "dimension",
                                                 config.max_batch_size()));
  }
  CheckVersions(config, findings);
  CheckTensors(config, "input", config.input(), findings);
  CheckTensors(config, "output", config.output(), findings);
  CheckFormats(config, findings);
  CheckPriorities(config.dynamic_batching(), findings);
  CheckSequenceBatching(config, findings);
  // Without max_batch_size the compiled file decides it, and CompleteModelConfig checks again.
  if (config.max_batch_size() > 0) {
    CheckBatchSizes(config, findings);
  }
  CheckInstances(config, findings);
  CheckPadding(config, findings);
  CheckReplacement(config, findings);
  CheckWarmUp(config, findings);
  if (config.has_pipeline() &&
      config.scheduling_choice_case() != ModelConfig::SCHEDULING_CHOICE_NOT_SET) {
    findings.Error("pipeline",
                   "cannot stand beside dynamic_batching, sequence_batching or "
                   "ensemble_scheduling; batching is set on the models of its steps");
  } else if (IsPipeline(config)) {
    CheckPipeline(config, model_name, findings);
  }
  CheckSupport(config, findings);
  RETURN_IF_ERROR(findings.ToStatus());
  return findings.warnings();
}

}  // namespace omserve::config
