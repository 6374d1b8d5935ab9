// SPDX-License-Identifier: Apache-2.0
#include "config/model_config.h"

#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"

namespace omserve::config {
namespace {

// The two enums count alike, which ToConfigType and FromConfigType rely on.
constexpr bool SameNumber(DataType ours, inference::DataType theirs) {
  return static_cast<int>(ours) == static_cast<int>(theirs);
}
static_assert(SameNumber(DataType::kInvalid, inference::TYPE_INVALID));
static_assert(SameNumber(DataType::kBool, inference::TYPE_BOOL));
static_assert(SameNumber(DataType::kUint8, inference::TYPE_UINT8));
static_assert(SameNumber(DataType::kUint64, inference::TYPE_UINT64));
static_assert(SameNumber(DataType::kInt8, inference::TYPE_INT8));
static_assert(SameNumber(DataType::kInt64, inference::TYPE_INT64));
static_assert(SameNumber(DataType::kFp16, inference::TYPE_FP16));
static_assert(SameNumber(DataType::kFp32, inference::TYPE_FP32));
static_assert(SameNumber(DataType::kFp64, inference::TYPE_FP64));
static_assert(SameNumber(DataType::kBytes, inference::TYPE_STRING));
static_assert(SameNumber(DataType::kBf16, inference::TYPE_BF16));

// The last part of a path, also with a slash at its end.
std::string FolderName(const std::string& folder) {
  const std::filesystem::path path(folder);
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

template <typename Tensor>
TensorSpec SpecOf(const Tensor& tensor) {
  return {.name = tensor.name(),
          .type = FromConfigType(tensor.data_type()),
          .dims = Dims(tensor.dims().begin(), tensor.dims().end())};
}

}  // namespace

absl::StatusOr<std::optional<LoadedModelConfig>> LoadModelConfig(const std::string& model_folder,
                                                                 const std::string& model_name) {
  const std::string yaml = model_folder + "/config.yaml";
  const std::string pbtxt = model_folder + "/config.pbtxt";
  std::error_code ignored;  // What cannot be looked at is met again, with its reason, by ReadFile.
  const bool has_yaml = std::filesystem::exists(yaml, ignored);
  const bool has_pbtxt = std::filesystem::exists(pbtxt, ignored);
  if (has_yaml && has_pbtxt) {
    return InvalidArgument("'{}': config.yaml and config.pbtxt are both there; keep one",
                           model_folder);
  }
  if (!has_yaml && !has_pbtxt) {
    return std::optional<LoadedModelConfig>();
  }
  const std::string& file = has_yaml ? yaml : pbtxt;
  ASSIGN_OR_RETURN(const std::string text, ReadFile(file, kMaxConfigBytes));
  ASSIGN_OR_RETURN(LoadedModelConfig loaded,
                   ParseModelConfig(has_yaml ? TextFormat::kYaml : TextFormat::kPbtxt, text, file,
                                    model_name.empty() ? FolderName(model_folder) : model_name));
  return std::optional<LoadedModelConfig>(std::move(loaded));
}

absl::StatusOr<LoadedModelConfig> ParseModelConfig(TextFormat format, const std::string& text,
                                                   const std::string& file,
                                                   const std::string& model_name) {
  LoadedModelConfig loaded;
  ASSIGN_OR_RETURN(loaded.source, BindText(format, text, file, loaded.config));
  ASSIGN_OR_RETURN(loaded.warnings, ValidateModelConfig(loaded.config, model_name, loaded.source));
  loaded.config.set_name(model_name);
  return loaded;
}

bool IsPipeline(const inference::ModelConfig& config) {
  return config.has_pipeline() || config.has_ensemble_scheduling();
}

const inference::ModelQueuePolicy& QueuePolicyOf(const inference::ModelConfig& config,
                                                 uint64_t priority) {
  const inference::ModelDynamicBatching& batching = config.dynamic_batching();
  const auto own = batching.priority_queue_policy().find(priority);
  return own == batching.priority_queue_policy().end() ? batching.default_queue_policy()
                                                       : own->second;
}

void EnsembleToPipeline(inference::ModelConfig& config) {
  if (!config.has_ensemble_scheduling()) {
    return;
  }
  inference::Pipeline pipeline;
  std::set<std::string> names;
  for (const inference::ModelEnsembling::Step& from : config.ensemble_scheduling().step()) {
    inference::Pipeline::Step& to = *pipeline.add_step();
    std::string name = from.model_name();
    for (int again = 2; !names.insert(name).second; ++again) {
      name = fmt::format("{}_{}", from.model_name(), again);
    }
    to.set_name(name);
    to.set_model_name(from.model_name());
    to.set_model_version(from.model_version());
    *to.mutable_input_map() = from.input_map();
    *to.mutable_output_map() = from.output_map();
  }
  *config.mutable_pipeline() = std::move(pipeline);
}

DataType FromConfigType(inference::DataType type) {
  return inference::DataType_IsValid(type) ? static_cast<DataType>(type) : DataType::kInvalid;
}

inference::DataType ToConfigType(DataType type) {
  const int number = static_cast<int>(type);
  return inference::DataType_IsValid(number) ? static_cast<inference::DataType>(number)
                                             : inference::TYPE_INVALID;
}

TensorSpec ToTensorSpec(const inference::ModelInput& input) { return SpecOf(input); }
TensorSpec ToTensorSpec(const inference::ModelOutput& output) { return SpecOf(output); }

}  // namespace omserve::config
