// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/om/atc_command.h"
#include "runtime/om/data_type.h"
#include "runtime/om/model_def.h"
#include "runtime/om/model_def_names.h"
#include "runtime/om/utf8.h"

namespace omserve::om {
namespace {

IoDescription ReadTensor(const ge::TensorDescriptor& tensor, std::string name,
                         const AttrReader& attrs) {
  IoDescription io{.name = std::move(name),
                   .acl_data_type = AclFromGe(tensor.dtype()),
                   .acl_format = AclFormatFromName(tensor.layout()),
                   .dims = {tensor.shape().dim().begin(), tensor.shape().dim().end()},
                   .size_bytes = static_cast<uint64_t>(std::max(tensor.size(), int64_t{0}))};
  const auto ranges = attrs.IntLists(tensor.attr(), kDimRangesAttr);
  for (const std::vector<int64_t>& range : ranges.value_or(std::vector<std::vector<int64_t>>())) {
    // CheckModelIo refuses a range that has not two numbers, as it does one that is upside down.
    io.dim_ranges.push_back(range.size() == 2 ? DimRange{.least = range[0], .most = range[1]}
                                              : DimRange{.least = 1, .most = 0});
  }
  return io;
}

bool IsDataType(const std::string& type) {
  return type == kDataOp || type == "AippData" || type == "RefData";
}

absl::StatusOr<std::vector<IoDescription>> ReadInputs(const ge::GraphDef& graph,
                                                      const AttrReader& attrs) {
  std::vector<std::pair<int64_t, IoDescription>> indexed;
  for (const ge::OpDef& op : graph.op()) {
    if (!IsDataType(op.type()) || op.name() == kGearTensorName) {
      continue;
    }
    const std::optional<int64_t> index = attrs.Int(op.attr(), kIndexAttr);
    if (!index.has_value() || op.input_desc().empty()) {
      return InvalidArgument("op '{}' of type {} has no {}, which an input needs",
                             PrintableText(op.name()), PrintableText(op.type()),
                             index.has_value() ? "input_desc" : "attribute 'index'");
    }
    IoDescription input = ReadTensor(op.input_desc(0), op.name(), attrs);
    // The root graph shows the largest gear; this attribute keeps the -1.
    const auto origin = attrs.Ints(op.attr(), kOriginDimsAttr);
    if (origin.has_value()) {
      if (origin->size() != input.dims.size()) {
        return InvalidArgument("op '{}': {} has {} dims, but the tensor has {}",
                               PrintableText(op.name()), kOriginDimsAttr, origin->size(),
                               input.dims.size());
      }
      input.dims = *origin;
    }
    indexed.emplace_back(*index, std::move(input));
  }
  std::ranges::stable_sort(indexed, {}, &std::pair<int64_t, IoDescription>::first);
  std::vector<IoDescription> inputs;
  for (size_t i = 0; i < indexed.size(); ++i) {
    if (i > 0 && indexed[i].first == indexed[i - 1].first) {
      return InvalidArgument("ops '{}' and '{}' both say that they are input {}",
                             PrintableText(indexed[i - 1].second.name),
                             PrintableText(indexed[i].second.name), indexed[i].first);
    }
    inputs.push_back(std::move(indexed[i].second));
  }
  return inputs;
}

const ge::OpDef* FindOp(const ge::GraphDef& graph, std::string_view type) {
  const auto found =
      std::ranges::find_if(graph.op(), [&](const ge::OpDef& op) { return op.type() == type; });
  return found == graph.op().end() ? nullptr : &*found;
}

// The name of a file without a list of names: from the op that makes the output.
std::string ProducerName(const ge::OpDef& net_output, int index) {
  if (index < net_output.src_name_size() && index < net_output.src_index_size()) {
    return fmt::format("output_{}_{}_{}", index, net_output.src_name(index),
                       net_output.src_index(index));
  }
  if (index < net_output.input_size()) {
    std::string source = net_output.input(index);
    std::ranges::replace(source, ':', '_');
    return fmt::format("output_{}_{}", index, source);
  }
  return fmt::format("output_{}", index);
}

absl::StatusOr<std::vector<IoDescription>> ReadOutputs(const ge::OpDef& net_output,
                                                       const AttrReader& attrs) {
  std::vector<IoDescription> outputs;
  if (net_output.input_desc().empty()) {
    return InvalidArgument("op '{}' has no input_desc, so the model has no outputs",
                           PrintableText(net_output.name()));
  }
  outputs.reserve(static_cast<size_t>(net_output.input_desc_size()));
  for (int i = 0; i < net_output.input_desc_size(); ++i) {
    outputs.push_back(ReadTensor(net_output.input_desc(i), ProducerName(net_output, i), attrs));
  }
  return outputs;
}

absl::StatusOr<GearKind> ReadGearKind(const ge::OpDef& op, const AttrReader& attrs, size_t values,
                                      const CommandGears& command) {
  const std::optional<int64_t> type = attrs.Int(op.attr(), kDynamicTypeAttr);
  if (!type.has_value()) {
    // Without the attribute one value can only be a batch; more are what the command asked for.
    if (values == 1) {
      return GearKind::kBatch;
    }
    return command.kind != GearKind::kNone
               ? absl::StatusOr<GearKind>(command.kind)
               : InvalidArgument("op '{}' has no attribute '{}'", op.name(), kDynamicTypeAttr);
  }
  switch (*type) {
    case 1:
      return GearKind::kBatch;
    case 2:
      return GearKind::kImage;
    case 3:
      return GearKind::kDims;
    default:
      return InvalidArgument("op '{}': {} is {}, expected 1 (batch), 2 (image) or 3 (dims)",
                             op.name(), kDynamicTypeAttr, *type);
  }
}

std::string CommandOf(const ge::ModelDef& model, const AttrReader& attrs) {
  return attrs.Text(model.attr(), kAtcCmdlineAttr).value_or("");
}

const ge::OpDef* FindOpNamed(const ge::GraphDef& graph, std::string_view name) {
  const auto found =
      std::ranges::find_if(graph.op(), [&](const ge::OpDef& op) { return op.name() == name; });
  return found == graph.op().end() ? nullptr : &*found;
}

// The gears of a graph that has their reserved input, but not the op that lists them.
absl::Status GearsFromCommand(const ge::ModelDef& model, const AttrReader& attrs, ModelIo& io) {
  const std::string command = CommandOf(model, attrs);
  const CommandGears gears = ReadCommandGears(command);
  if (gears.kind == GearKind::kNone) {
    return InvalidArgument(
        "there is an input '{}', but neither an op '{}' nor the command says which gears there are",
        kGearTensorName, kGearCaseName);
  }
  // The graph shows the largest gear; the command has the -1.
  const std::vector<std::string> names = ApplyCommandShapes(command, io);
  io.gear_kind = gears.kind;
  for (const std::vector<int64_t>& values : gears.values) {
    io.gears.push_back(GearDescription{.values = values, .output_dims = {}});
  }
  return OrderGearValues(names, io);
}

absl::Status ReadCaseGears(const ge::ModelDef& model, const ge::OpDef& gear_case,
                           const AttrReader& attrs, ModelIo& io) {
  // Versions differ in the name of the count; the values themselves tell where it ends.
  for (size_t i = 0; i <= kMostGears; ++i) {
    auto values = attrs.Ints(gear_case.attr(), fmt::format("{}{}", kGearValuesAttrPrefix, i));
    if (!values.has_value()) {
      break;
    }
    io.gears.push_back(GearDescription{.values = *std::move(values), .output_dims = {}});
  }
  for (const char* const name : {kGearCountAttr, "batch_num"}) {
    const std::optional<int64_t> count = attrs.Int(gear_case.attr(), name);
    if (count.has_value() && static_cast<uint64_t>(*count) != io.gears.size()) {
      return InvalidArgument("op '{}': {} is {}, but {} gears of '{}0' and so on are there",
                             kGearCaseName, name, *count, io.gears.size(), kGearValuesAttrPrefix);
    }
  }
  if (io.gears.empty()) {
    return InvalidArgument("op '{}' has no gear '{}0'", kGearCaseName, kGearValuesAttrPrefix);
  }
  ASSIGN_OR_RETURN(io.gear_kind, ReadGearKind(gear_case, attrs, io.gears.front().values.size(),
                                              ReadCommandGears(CommandOf(model, attrs))));
  const auto order = attrs.Texts(gear_case.attr(), kShapeOrderAttr);
  return OrderGearValues(order.value_or(std::vector<std::string>()), io);
}

absl::Status ReadGears(const ge::ModelDef& model, const ge::OpDef& net_output,
                       const AttrReader& attrs, ModelIo& io) {
  const ge::GraphDef& graph = model.graph(0);
  const ge::OpDef* gear_case = FindOpNamed(graph, kGearCaseName);
  if (gear_case != nullptr) {
    RETURN_IF_ERROR(ReadCaseGears(model, *gear_case, attrs, io));
  } else if (FindOpNamed(graph, kGearTensorName) != nullptr) {
    RETURN_IF_ERROR(GearsFromCommand(model, attrs, io));
  } else {
    return absl::OkStatus();
  }
  const auto texts = attrs.Texts(net_output.attr(), kOutputDimsAttr);
  return ParseOutputDims(texts.value_or(std::vector<std::string>()), io.outputs.size(), io.gears);
}

// A count or size, which must not be negative.
template <typename T>
absl::Status ReadCount(const ge::ModelDef& model, const AttrReader& attrs, std::string_view name,
                       T& value) {
  const int64_t stored = attrs.Int(model.attr(), name).value_or(0);
  if (stored < 0 || static_cast<uint64_t>(stored) > std::numeric_limits<T>::max()) {
    return InvalidArgument("attribute '{}' is {}, expected 0 to {}", name, stored,
                           std::numeric_limits<T>::max());
  }
  value = static_cast<T>(stored);
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ge::ModelDef> ParseModelDef(const OmFile& file, size_t model) {
  const Partition* partition = file.Find(PartitionType::kModelDef, model);
  if (partition == nullptr) {
    return InvalidArgument("MODEL_DEF: {}",
                           file.header().model_type == kFlowModelType
                               ? "this is a flow model, whose models stand in parts of their own "
                                 "and are not served: compile each into an .om file"
                               : "the file has no such partition, which every model has");
  }
  const std::span<const std::byte> bytes = partition->data;
  if (bytes.size() > std::numeric_limits<int>::max()) {
    return InvalidArgument("MODEL_DEF: {} bytes, at most 2 GiB can be read", bytes.size());
  }
  ge::ModelDef parsed;
  if (!parsed.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return InvalidArgument("MODEL_DEF: its {} bytes are not a ModelDef: the file is damaged",
                           bytes.size());
  }
  return parsed;
}

absl::StatusOr<ModelIo> ReadGraphIo(const ge::ModelDef& model, const AttrReader& attrs) {
  if (model.graph().empty()) {
    return InvalidArgument("the model has no graph, and there is no MODEL_INOUT_INFO either");
  }
  const ge::GraphDef& graph = model.graph(0);
  const ge::OpDef* net_output = FindOp(graph, kNetOutputOp);
  if (net_output == nullptr) {
    return InvalidArgument("the root graph has no op of type {}, which names the outputs",
                           kNetOutputOp);
  }
  ModelIo io;
  ASSIGN_OR_RETURN(io.inputs, ReadInputs(graph, attrs));
  ASSIGN_OR_RETURN(io.outputs, ReadOutputs(*net_output, attrs));
  RETURN_IF_ERROR(ReadGears(model, *net_output, attrs, io));
  return io;
}

std::vector<std::string> ReadOutputNames(const ge::ModelDef& model, const AttrReader& attrs) {
  return attrs.Texts(model.attr(), kOutputNamesAttr).value_or(std::vector<std::string>());
}

absl::Status ReadModelFacts(const ge::ModelDef& model, const AttrReader& attrs,
                            ModelDescription& description) {
  description.soc_version = ToUtf8(attrs.Text(model.attr(), kSocVersionAttr).value_or(""));
  description.atc_version = ToUtf8(attrs.Text(model.attr(), kAtcVersionAttr).value_or(""));
  description.atc_cmdline = ToUtf8(CommandOf(model, attrs));
  if (description.soc_version.empty()) {
    description.soc_version = CommandOption(description.atc_cmdline, kSocVersionAttr).value_or("");
  }
  RETURN_IF_ERROR(ReadCount(model, attrs, kMemorySizeAttr, description.work_bytes));
  RETURN_IF_ERROR(ReadCount(model, attrs, kWeightSizeAttr, description.weight_bytes));
  RETURN_IF_ERROR(ReadCount(model, attrs, kStreamNumAttr, description.stream_count));
  description.cost_us = attrs.Ints(model.attr(), kCostAttr).value_or(std::vector<int64_t>());
  return ReadCount(model, attrs, kEventNumAttr, description.event_count);
}

}  // namespace omserve::om
