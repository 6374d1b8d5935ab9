// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/model_description.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/errors.h"
#include "runtime/om/byte_reader.h"
#include "runtime/om/costs.h"
#include "runtime/om/data_type.h"
#include "runtime/om/model_def.h"
#include "runtime/om/model_inout_info.h"
#include "runtime/om/model_io.h"
#include "runtime/om/utf8.h"

namespace omserve::om {
namespace {

constexpr size_t kMostNameBytes = 31;
constexpr uint64_t kMostAttrNumber = std::numeric_limits<int64_t>::max();

absl::StatusOr<ModelIo> ReadIo(const OmFile& file, size_t model_index, const ge::ModelDef& model,
                               const AttrReader& attrs) {
  const Partition* inout = file.Find(PartitionType::kModelInoutInfo, model_index);
  absl::StatusOr<ModelIo> io =
      inout == nullptr ? ReadGraphIo(model, attrs) : ReadInoutInfo(inout->data);
  absl::Status status = io.status();
  if (status.ok()) {
    // AscendCL shows these names; the other sources have none or numbered ones.
    const std::vector<std::string> names = ReadOutputNames(model, attrs);
    for (size_t i = 0; names.size() == io->outputs.size() && i < names.size(); ++i) {
      io->outputs[i].name = names[i];
    }
    status = CheckModelIo(*io);
  }
  if (!status.ok()) {
    return WithContext(status, inout == nullptr ? "MODEL_DEF" : "MODEL_INOUT_INFO");
  }
  ResolveSizes(*io);
  return io;
}

ModelIo IoOf(const ModelDescription& description) {
  return ModelIo{.inputs = description.inputs,
                 .outputs = description.outputs,
                 .gear_kind = description.gear_kind,
                 .gears = description.gears};
}

// What the reader could not give back as it is.
absl::Status CheckWritable(const ModelDescription& description, const ModelIo& io) {
  if (description.name.empty() || description.name.size() > kMostNameBytes ||
      !IsUtf8(description.name)) {
    return InvalidArgument(
        "model name '{}' has {} bytes, expected 1 to {} of UTF-8: choose another",
        PrintableText(description.name), description.name.size(), kMostNameBytes);
  }
  if (description.work_bytes > kMostAttrNumber || description.weight_bytes > kMostAttrNumber) {
    return InvalidArgument(
        "model '{}': {} work bytes and {} weight bytes, at most {} can be written",
        description.name, description.work_bytes, description.weight_bytes, kMostAttrNumber);
  }
  RETURN_IF_ERROR(CheckModelIo(io));
  RETURN_IF_ERROR(CheckCosts(description));
  for (const IoDescription& input : io.inputs) {
    if (input.name == kGearTensorName) {
      return InvalidArgument("input '{}' has the name that is reserved for the gears: rename it",
                             input.name);
    }
  }
  return CheckHostSizes(io);
}

std::string ShowRange(const DimRange& range) {
  if (range.least == range.most) {
    return fmt::format("{}", range.least);
  }
  return fmt::format("{}~{}", range.least, range.most == -1 ? "" : fmt::format("{}", range.most));
}

}  // namespace

bool HasDynamicShape(const ModelDescription& description) {
  return description.gears.empty() &&
         std::ranges::any_of(description.inputs, [](const IoDescription& input) {
           return std::ranges::count(input.dims, int64_t{-1}) > 0;
         });
}

std::string ShowRanges(const IoDescription& input) {
  std::string text = input.name + " [";
  for (size_t i = 0; i < input.dims.size(); ++i) {
    text += i == 0 ? "" : ",";
    text += i < input.dim_ranges.size() ? ShowRange(input.dim_ranges[i])
                                        : fmt::format("{}", input.dims[i]);
  }
  return text + "]";
}

std::string ShowRanges(const ModelDescription& description) {
  std::string text;
  for (const IoDescription& input : description.inputs) {
    text += (text.empty() ? "" : ", ") + ShowRanges(input);
  }
  return text;
}

absl::StatusOr<ModelDescription> DescribeModel(const OmFile& file, size_t model) {
  if (model >= file.model_count()) {
    return InvalidArgument("model {} of a file that has {}", model, file.model_count());
  }
  ASSIGN_OR_RETURN(const ge::ModelDef parsed, ParseModelDef(file, model));
  absl::StatusOr<AttrReader> attrs = AttrReader::Make(parsed);
  if (!attrs.ok()) {
    return WithContext(attrs.status(), "MODEL_DEF");
  }
  ModelDescription description;
  description.name = ToUtf8(parsed.name().empty() ? file.header().name : parsed.name());
  const absl::Status facts = ReadModelFacts(parsed, *attrs, description);
  if (!facts.ok()) {
    return WithContext(facts, "MODEL_DEF");
  }
  ASSIGN_OR_RETURN(ModelIo io, ReadIo(file, model, parsed, *attrs));
  if (description.soc_version == kHostSocVersion) {
    // The host allocates and copies by these numbers, so they must not contradict each other.
    const absl::Status sizes = CheckHostSizes(io);
    if (!sizes.ok()) {
      return WithContext(sizes, "MODEL_INOUT_INFO or MODEL_DEF");
    }
  }
  description.inputs = std::move(io.inputs);
  description.outputs = std::move(io.outputs);
  description.gear_kind = io.gear_kind;
  description.gears = std::move(io.gears);
  const absl::Status costs = CheckCosts(description);
  if (!costs.ok()) {
    return WithContext(costs, "MODEL_DEF");
  }
  return description;
}

absl::StatusOr<std::string> WriteHostModel(const ModelDescription& description,
                                           std::span<const std::byte> onnx_graph,
                                           std::span<const std::byte> weights, bool wide) {
  ModelDescription written = description;
  if (written.soc_version.empty()) {
    written.soc_version = kHostSocVersion;
  }
  const ModelIo io = IoOf(written);
  RETURN_IF_ERROR(CheckWritable(written, io));
  const std::string inout_info = WriteInoutInfo(io);
  const std::string model_def = WriteModelDef(written, io);
  const std::vector<Partition> partitions = {
      {PartitionType::kModelInoutInfo, AsBytes(inout_info)},
      {PartitionType::kModelDef, AsBytes(model_def)},
      {PartitionType::kWeightsData, weights},
      {PartitionType::kTaskInfo, onnx_graph},
  };
  Header header;
  header.name = written.name;
  header.om_ir_version = 1;
  header.is_unknown_shape = HasDynamicShape(written);
  return WriteOm(header, partitions, wide);
}

std::vector<std::vector<int64_t>> InputDimsAtGear(const ModelDescription& description,
                                                  size_t gear) {
  if (description.gear_kind == GearKind::kNone) {
    return FillDims(description.inputs, GearKind::kNone, {});
  }
  OMSERVE_CHECK(gear < description.gears.size(), "the caller asks for a gear that the model has");
  return FillDims(description.inputs, description.gear_kind, description.gears[gear].values);
}

}  // namespace omserve::om
