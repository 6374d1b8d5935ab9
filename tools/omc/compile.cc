// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/compile.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/tensor.h"
#include "runtime/om/byte_reader.h"
#include "runtime/om/costs.h"
#include "runtime/om/data_type.h"
#include "tools/omc/onnx_check.h"
#include "tools/omc/onnx_constants.h"
#include "tools/omc/onnx_weights.h"
#include "tools/omc/range_trial.h"

namespace omserve::omc {
namespace {

constexpr size_t kMostNameBytes = 31;

absl::StatusOr<std::string> ModelName(const CompileOptions& options) {
  const std::string name = options.name.empty()
                               ? std::filesystem::path(options.model_path).stem().string()
                               : options.name;
  if (name.empty() || name.size() > kMostNameBytes) {
    return InvalidArgument(
        "model name '{}' has {} bytes, an .om file has room for 1 to {}: choose one with --name",
        name, name.size(), kMostNameBytes);
  }
  return name;
}

// As atc records its own: what to type to get this file again, without the folders of this machine.
std::string CommandLine(const CompileOptions& options) {
  std::string line =
      fmt::format("omc compile {}", std::filesystem::path(options.model_path).filename().string());
  const auto add = [&line](std::string_view flag, const std::string& value) {
    if (!value.empty()) {
      line += fmt::format(" {} \"{}\"", flag, value);
    }
  };
  add("--name", options.name);
  add("--constant", options.constants);
  add("--input-shape", options.gears.input_shape);
  add("--batch-gears", options.gears.batch_gears);
  add("--dims-gears", options.gears.dims_gears);
  add("--dynamic-shape", options.gears.dynamic_shape);
  add("--cost-us", options.cost_us);
  return line;
}

std::string ShowDims(const std::vector<OnnxTensor>& tensors, const std::vector<Dims>& dims) {
  std::string text;
  for (size_t i = 0; i < tensors.size(); ++i) {
    text += fmt::format("{}{} {}", i == 0 ? "" : ", ", tensors[i].name, DimsToString(dims[i]));
  }
  return text;
}

std::string ShowGear(std::span<const int64_t> values) {
  return values.empty() ? std::string("the model's dims") : "gear " + DimsToString(values);
}

// Runs the graph at each gear and notes what comes out. One object per compilation.
class Trial final {
 public:
  Trial(OnnxChecker& checker, om::ModelDescription& description)
      : checker_(checker), description_(description) {}

  absl::Status Run() {
    if (description_.gear_kind == om::GearKind::kNone) {
      return RunAt(0, nullptr);
    }
    for (size_t i = 0; i < description_.gears.size(); ++i) {
      RETURN_IF_ERROR(RunAt(i, &description_.gears[i]));
    }
    return absl::OkStatus();
  }

  // At the gear where inputs and outputs together take most.
  uint64_t input_bytes() const { return input_bytes_at_most_; }
  uint64_t io_bytes() const { return most_io_bytes_; }

 private:
  absl::Status RunAt(size_t index, om::GearDescription* gear) {
    const std::vector<Dims> input_dims = om::InputDimsAtGear(description_, index);
    const std::string where = fmt::format(
        "{} (inputs {})", ShowGear(gear == nullptr ? std::span<const int64_t>() : gear->values),
        ShowDims(checker_.inputs(), input_dims));
    absl::StatusOr<std::vector<Dims>> output_dims = checker_.Run(input_dims, Fill::kZeros);
    if (!output_dims.ok()) {
      return WithContext(output_dims.status(), "the model does not run at " + where);
    }
    if (index == 0) {
      // A run that ones break says nothing; a run with other dims says that data decide them.
      const absl::StatusOr<std::vector<Dims>> other = checker_.Run(input_dims, Fill::kOnes);
      if (other.ok() && *other != *output_dims) {
        return InvalidArgument(
            "the outputs' dims depend on the inputs' data at {}: {} for zeros, {} for ones; a "
            "compiled model has fixed dims: cut such ops (NonZero, TopK with a computed k, NMS) "
            "off",
            where, ShowDims(checker_.outputs(), *output_dims),
            ShowDims(checker_.outputs(), *other));
      }
    }
    return Note(where, input_dims, *std::move(output_dims), gear);
  }

  absl::Status Note(const std::string& where, const std::vector<Dims>& input_dims,
                    std::vector<Dims> output_dims, om::GearDescription* gear) {
    uint64_t io_bytes = 0;
    for (size_t i = 0; i < input_dims.size(); ++i) {
      ASSIGN_OR_RETURN(const uint64_t bytes,
                       Bytes(checker_.inputs()[i], input_dims[i], "input", where));
      om::IoDescription& input = description_.inputs[i];
      input.size_bytes = std::max(input.size_bytes, bytes);
      io_bytes += bytes;
    }
    const uint64_t input_bytes = io_bytes;
    for (size_t i = 0; i < output_dims.size(); ++i) {
      ASSIGN_OR_RETURN(const uint64_t bytes,
                       Bytes(checker_.outputs()[i], output_dims[i], "output", where));
      om::IoDescription& output = description_.outputs[i];
      output.size_bytes = std::max(output.size_bytes, bytes);
      io_bytes += bytes;
    }
    if (io_bytes > most_io_bytes_) {
      most_io_bytes_ = io_bytes;
      input_bytes_at_most_ = input_bytes;
      for (size_t i = 0; i < output_dims.size(); ++i) {
        description_.outputs[i].dims = output_dims[i];
      }
    }
    if (gear != nullptr) {
      gear->output_dims = std::move(output_dims);
    }
    return absl::OkStatus();
  }

  static absl::StatusOr<uint64_t> Bytes(const OnnxTensor& tensor, const Dims& dims,
                                        std::string_view kind, const std::string& where) {
    const std::optional<size_t> bytes = TensorBytes(tensor.type, dims);
    if (!bytes.has_value() || *bytes == 0) {
      return InvalidArgument("{} '{}' has dims {} at {}, expected at least one element", kind,
                             tensor.name, DimsToString(dims), where);
    }
    return *bytes;
  }

  OnnxChecker& checker_;
  om::ModelDescription& description_;
  uint64_t most_io_bytes_ = 0;
  uint64_t input_bytes_at_most_ = 0;
};

absl::StatusOr<om::ModelDescription> Describe(OnnxChecker& checker, const SplitOnnx& split,
                                              const CompileOptions& options) {
  om::ModelDescription description;
  ASSIGN_OR_RETURN(description.name, ModelName(options));
  ASSIGN_OR_RETURN(const GearPlan plan, PlanGears(checker.inputs(), options.gears));
  description.soc_version = options.soc_version;
  description.atc_version = "omc " OMSERVE_VERSION;
  description.atc_cmdline = CommandLine(options);
  for (size_t i = 0; i < plan.input_dims.size(); ++i) {
    const OnnxTensor& input = checker.inputs()[i];
    description.inputs.push_back(om::IoDescription{.name = input.name,
                                                   .acl_data_type = om::AclFromDataType(input.type),
                                                   .acl_format = om::kAclFormatNd,
                                                   .dims = plan.input_dims[i]});
    if (!plan.ranges.empty()) {
      description.inputs.back().dim_ranges = plan.ranges[i];
    }
  }
  for (size_t i = 0; i < split.output_names.size(); ++i) {
    description.outputs.push_back(
        om::IoDescription{.name = split.output_names[i],
                          .acl_data_type = om::AclFromDataType(checker.outputs()[i].type),
                          .acl_format = om::kAclFormatNd,
                          .dims = {}});
  }
  description.gear_kind = plan.kind;
  for (const std::vector<int64_t>& values : plan.gears) {
    description.gears.push_back(om::GearDescription{.values = values, .output_dims = {}});
  }
  if (!options.cost_us.empty()) {
    absl::StatusOr<std::vector<int64_t>> costs = om::ParseCosts(options.cost_us, description);
    if (!costs.ok()) {
      return WithContext(costs.status(), "--cost-us");
    }
    description.cost_us = *std::move(costs);
  }
  RangeTrial bytes;
  if (plan.ranges.empty()) {
    Trial trial(checker, description);
    RETURN_IF_ERROR(trial.Run());
    bytes = {.input_bytes = trial.input_bytes(), .io_bytes = trial.io_bytes()};
  } else {
    ASSIGN_OR_RETURN(bytes, TryRanges(checker, description));
  }
  // memory_size covers inputs, outputs and everything between. The arena's peak holds all but the
  // inputs; where it is not known, the guess is as much again as goes in and out.
  const uint64_t peak_bytes = checker.PeakBytes();
  description.work_bytes = peak_bytes > 0 ? bytes.input_bytes + peak_bytes : 2 * bytes.io_bytes;
  description.weight_bytes = split.weights.size();
  description.stream_count = 1;
  description.event_count = 0;
  return description;
}

absl::StatusOr<CompiledModel> CompileBytes(std::span<const std::byte> model,
                                           const CompileOptions& options) {
  const std::string folder = std::filesystem::path(options.model_path).parent_path().string();
  std::string fixed;
  if (!options.constants.empty()) {
    ASSIGN_OR_RETURN(fixed, FixInputs(model, options.constants));
    model = om::AsBytes(fixed);
  }
  ASSIGN_OR_RETURN(const SplitOnnx split, SplitWeights(model, folder));
  // The check opens what the file will hold, not the ONNX file: it also proves the split.
  ASSIGN_OR_RETURN(const std::unique_ptr<OnnxChecker> checker,
                   OpenOnnx({.graph = om::AsBytes(split.graph),
                             .weights = om::AsBytes(split.weights),
                             .ort_library = options.ort_library}));
  if (checker->outputs().size() != split.output_names.size()) {
    return InvalidArgument("the graph lists {} outputs, ONNX Runtime {}: the model is malformed",
                           split.output_names.size(), checker->outputs().size());
  }
  CompiledModel compiled;
  ASSIGN_OR_RETURN(compiled.description, Describe(*checker, split, options));
  ASSIGN_OR_RETURN(compiled.file, om::WriteHostModel(compiled.description, om::AsBytes(split.graph),
                                                     om::AsBytes(split.weights)));
  return compiled;
}

}  // namespace

absl::StatusOr<CompiledModel> Compile(const CompileOptions& options) {
  if (options.soc_version != om::kHostSocVersion) {
    return InvalidArgument(
        "--soc-version {}: omc compiles for the CPU device only ({}); for an Ascend chip use "
        "CANN's "
        "atc --soc_version={}",
        options.soc_version, om::kHostSocVersion, options.soc_version);
  }
  ASSIGN_OR_RETURN(const MappedFile model, MappedFile::Open(options.model_path));
  absl::StatusOr<CompiledModel> compiled = CompileBytes(model.bytes(), options);
  if (!compiled.ok()) {
    return WithContext(compiled.status(), "'" + options.model_path + "'");
  }
  return compiled;
}

absl::StatusOr<std::string> CompileToFile(const CompileOptions& options) {
  ASSIGN_OR_RETURN(const CompiledModel compiled, Compile(options));
  RETURN_IF_ERROR(WriteFileAtomically(options.output_path, compiled.file));
  const om::ModelDescription& description = compiled.description;
  return fmt::format("{}: model '{}', {} inputs, {} outputs, {} gears, {} bytes",
                     options.output_path, description.name, description.inputs.size(),
                     description.outputs.size(), description.gears.size(), compiled.file.size());
}

}  // namespace omserve::omc
