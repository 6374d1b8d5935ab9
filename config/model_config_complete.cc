// SPDX-License-Identifier: Apache-2.0
// What a configuration leaves out, from the compiled file; and where the two disagree.
#include <algorithm>
#include <string>
#include <vector>

#include "config/model_config.h"
#include "config/model_config_check.h"
#include "config/nearest_name.h"
#include "config/reshape.h"
#include "runtime/base/errors.h"

namespace omserve::config {
namespace {

using inference::ModelConfig;

Dims WithoutBatch(const Dims& dims) {
  return dims.empty() ? dims : Dims(dims.begin() + 1, dims.end());
}

// The smallest change that makes `given` right, where `file` are the file's dims with its batch
// dimension when `shape.has_batch`. The batch dimension is what people trip over: it is not written
// while max_batch_size > 0, and written otherwise.
std::string DimsRemedy(const Dims& given, const Dims& file, const ModelShape& shape,
                       int max_batch_size) {
  const Dims row = shape.has_batch ? WithoutBatch(file) : file;
  if (max_batch_size > 0 && given.size() == row.size() + 1 &&
      std::equal(row.begin(), row.end(), given.begin() + 1)) {
    return fmt::format("the batch dimension is implied by max_batch_size {}; write {}",
                       max_batch_size, DimsToString(row));
  }
  if (max_batch_size == 0 && shape.has_batch && given == row) {
    return fmt::format(
        "without max_batch_size the batch dimension is written; write {}, or set "
        "max_batch_size: {}",
        DimsToString(file), *std::max_element(shape.batch_sizes.begin(), shape.batch_sizes.end()));
  }
  return fmt::format("write {}, or leave the key out",
                     DimsToString(max_batch_size > 0 ? row : file));
}

// Equal, or -1 on the configuration's side.
bool DimsAgree(const Dims& given, const Dims& expected) {
  return std::equal(given.begin(), given.end(), expected.begin(), expected.end(),
                    [](int64_t g, int64_t e) { return g == -1 || g == e; });
}

class Completer final {
 public:
  Completer(LoadedModelConfig& loaded, const ModelShape& shape)
      : config_(loaded.config), source_(loaded.source), shape_(shape), findings_(loaded.source) {}

  const std::vector<std::string>& warnings() const { return findings_.warnings(); }

  absl::Status Complete() {
    RETURN_IF_ERROR(CheckShape());
    CompleteIdentity();
    CompleteBatch();
    CompleteSequenceBatching(config_, shape_, findings_);
    CompleteTensors("input", shape_.inputs, *config_.mutable_input());
    CompleteTensors("output", shape_.outputs, *config_.mutable_output());
    CheckBatchSizes(config_, findings_);
    return findings_.ToStatus();
  }

 private:
  // A contract of the caller, checked because the shapes come from a file.
  absl::Status CheckShape() const {
    if (!shape_.has_batch) {
      return absl::OkStatus();
    }
    if (shape_.batch_sizes.empty() ||
        *std::min_element(shape_.batch_sizes.begin(), shape_.batch_sizes.end()) < 1) {
      return InvalidArgument(
          "model '{}': compiled batch sizes are [{}], expected 1 or more each; "
          "compile it again",
          shape_.model_name, fmt::join(shape_.batch_sizes, ","));
    }
    for (const std::vector<TensorSpec>* specs : {&shape_.inputs, &shape_.outputs}) {
      for (const TensorSpec& spec : *specs) {
        if (spec.dims.empty()) {
          return InvalidArgument(
              "model '{}': tensor '{}' has no dims, expected a batch dimension "
              "as in the others",
              shape_.model_name, spec.name);
        }
      }
    }
    return absl::OkStatus();
  }

  void CompleteIdentity() {
    config_.set_name(shape_.model_name);
    config_.set_backend(kBackendName);
    config_.set_platform(kModelPlatform);
    config_.set_default_model_filename(CompiledFilename(config_));
    if (config_.version_policy().policy_choice_case() ==
        inference::ModelVersionPolicy::POLICY_CHOICE_NOT_SET) {
      config_.mutable_version_policy()->mutable_latest()->set_num_versions(1);
    }
    if (config_.instance_group().empty()) {
      config_.add_instance_group();
    }
    for (int i = 0; i < config_.instance_group_size(); ++i) {
      inference::ModelInstanceGroup& group = *config_.mutable_instance_group(i);
      group.set_count(std::max(group.count(), 1));
      if (group.name().empty()) {
        group.set_name(config_.instance_group_size() == 1
                           ? shape_.model_name
                           : fmt::format("{}_{}", shape_.model_name, i));
      }
    }
  }

  void CompleteBatch() {
    const int largest =
        shape_.has_batch ? *std::max_element(shape_.batch_sizes.begin(), shape_.batch_sizes.end())
                         : 0;
    // A 0 in the file is a decision, a key that is left out is not.
    const bool given = config_.max_batch_size() != 0 || source_.Has("max_batch_size");
    if (!given) {
      config_.set_max_batch_size(largest);
    } else if (largest == 0 && config_.max_batch_size() > 0) {
      findings_.Error("max_batch_size",
                      fmt::format("got {}, but the compiled file has no batch dimension; write 0, "
                                  "or compile the model with a batch of {}",
                                  config_.max_batch_size(), config_.max_batch_size()));
    } else if (config_.max_batch_size() > largest) {
      findings_.Warn("max_batch_size",
                     fmt::format("{} rows are more than the largest compiled batch, {}: requests "
                                 "with more than {} run in parts",
                                 config_.max_batch_size(), largest, largest));
    }
    if (config_.max_batch_size() > 1 &&
        config_.scheduling_choice_case() == ModelConfig::SCHEDULING_CHOICE_NOT_SET) {
      config_.mutable_dynamic_batching();
    }
  }

  template <typename Tensors>
  void CompleteTensors(const char* list, const std::vector<TensorSpec>& specs, Tensors& tensors) {
    const bool is_input = &specs == &shape_.inputs;
    const bool all_left_out = tensors.empty();
    std::vector<std::string> known;
    for (const TensorSpec& spec : specs) {
      if (is_input ? IsServerMade(config_, spec.name) : IsStateOutput(config_, spec.name)) {
        continue;  // No input of a client's; an output only where the configuration lists it.
      }
      known.push_back(spec.name);
      if (all_left_out) {
        tensors.Add()->set_name(spec.name);
      }
    }
    std::vector<std::string> named;
    for (int i = 0; i < tensors.size(); ++i) {
      auto& tensor = *tensors.Mutable(i);
      const std::string path = IndexedPath(list, static_cast<size_t>(i));
      named.push_back(tensor.name());
      const auto spec = std::find_if(specs.begin(), specs.end(), [&](const TensorSpec& candidate) {
        return candidate.name == tensor.name();
      });
      if (spec == specs.end()) {
        findings_.Error(
            FieldPath(path, "name"),
            fmt::format("{} '{}' is not in the compiled file: {}", list, Shown(tensor.name()),
                        UnknownName(tensor.name(), fmt::format("{}s", list), known)));
        continue;
      }
      CompleteTensor(path, *spec, tensor);
    }
    for (const std::string& name : known) {
      if (std::find(named.begin(), named.end(), name) == named.end()) {
        findings_.Error(list, fmt::format("{0} '{1}' of the compiled file is missing; add it, or "
                                          "leave '{0}' out altogether",
                                          list, name));
      }
    }
  }

  template <typename Tensor>
  void CompleteTensor(const std::string& path, const TensorSpec& spec, Tensor& tensor) {
    const DataType given_type = FromConfigType(tensor.data_type());
    if (given_type == DataType::kInvalid) {
      tensor.set_data_type(ToConfigType(spec.type));
    } else if (given_type != spec.type) {
      findings_.Error(FieldPath(path, "data_type"),
                      fmt::format("tensor '{}': expected {}, as in the compiled file, got {}",
                                  spec.name, DataTypeName(spec.type), DataTypeName(given_type)));
    }
    const bool batched = config_.max_batch_size() > 0 && shape_.has_batch;
    const Dims expected = batched ? WithoutBatch(spec.dims) : spec.dims;
    const Dims given(tensor.dims().begin(), tensor.dims().end());
    if (tensor.has_reshape()) {
      CompleteReshape(path, expected, given, tensor);
      return;
    }
    // A tensor of one number per row has no dims left: nothing to write, nothing to disagree with.
    if (!given.empty() && !DimsAgree(given, expected)) {
      findings_.Error(FieldPath(path, "dims"),
                      fmt::format("tensor '{}': expected {}, got {}; {}", spec.name,
                                  DimsToString(expected), DimsToString(given),
                                  DimsRemedy(given, spec.dims, shape_, config_.max_batch_size())));
      return;
    }
    tensor.mutable_dims()->Assign(expected.begin(), expected.end());
  }

  // The file has the reshaped dims, clients have `given` ones.
  template <typename Tensor>
  void CompleteReshape(const std::string& path, const Dims& expected, const Dims& given,
                       Tensor& tensor) {
    auto& shape = *tensor.mutable_reshape()->mutable_shape();
    const Dims stated(shape.begin(), shape.end());
    if (!DimsAgree(stated, expected)) {
      findings_.Error(
          FieldPath(path, "reshape.shape"),
          fmt::format("tensor '{}': expected {}, as in the compiled file, got {}; write "
                      "{}, with dims of as many elements, or take reshape out",
                      tensor.name(), DimsToString(expected), DimsToString(stated),
                      DimsToString(expected)));
      return;
    }
    const Dims dims = WithOpenSizes(given, stated, expected);
    tensor.mutable_dims()->Assign(dims.begin(), dims.end());
    shape.Assign(expected.begin(), expected.end());
  }

  ModelConfig& config_;
  const SourceMap& source_;
  const ModelShape& shape_;
  Findings findings_;
};

}  // namespace

absl::Status CompleteModelConfig(LoadedModelConfig& loaded, const ModelShape& shape) {
  Completer completer(loaded, shape);
  RETURN_IF_ERROR(completer.Complete());
  loaded.warnings.insert(loaded.warnings.end(), completer.warnings().begin(),
                         completer.warnings().end());
  return absl::OkStatus();
}

void CompletePipelineConfig(LoadedModelConfig& loaded, const std::string& model_name) {
  ModelConfig& config = loaded.config;
  config.set_name(model_name);
  config.set_platform(config.has_ensemble_scheduling() ? kEnsemblePlatform : kPipelinePlatform);
  if (config.version_policy().policy_choice_case() ==
      inference::ModelVersionPolicy::POLICY_CHOICE_NOT_SET) {
    config.mutable_version_policy()->mutable_latest()->set_num_versions(1);
  }
  EnsembleToPipeline(config);
}

}  // namespace omserve::config
