// SPDX-License-Identifier: Apache-2.0
#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <charconv>
#include <span>
#include <string_view>

#include "runtime/om/data_type.h"
#include "runtime/om/model_def.h"
#include "runtime/om/model_def_names.h"

namespace omserve::om {
namespace {

using Attrs = AttrMap*;

void SetInt(Attrs attrs, const std::string& name, uint64_t value) {
  (*attrs)[name].set_i(static_cast<int64_t>(value));
}

void SetText(Attrs attrs, const std::string& name, const std::string& text) {
  (*attrs)[name].set_s(text);
}

void SetInts(Attrs attrs, const std::string& name, std::span<const int64_t> values) {
  auto* const list = (*attrs)[name].mutable_list();
  list->mutable_i()->Assign(values.begin(), values.end());
}

void SetTexts(Attrs attrs, const std::string& name, std::span<const std::string> texts) {
  auto* const list = (*attrs)[name].mutable_list();
  list->mutable_s()->Assign(texts.begin(), texts.end());
}

void FillTensor(ge::TensorDescriptor& out, const IoDescription& tensor,
                std::span<const int64_t> dims) {
  out.set_dtype(static_cast<ge::DataType>(GeFromAcl(tensor.acl_data_type)));
  out.mutable_shape()->mutable_dim()->Assign(dims.begin(), dims.end());
  out.set_layout(std::string(AclFormatName(tensor.acl_format)));
  out.set_size(static_cast<int64_t>(tensor.size_bytes));
  for (const DimRange& range : tensor.dim_ranges) {
    ge::ListListInt& ranges = *(*out.mutable_attr())[kDimRangesAttr].mutable_list_list_int();
    ge::ListInt& pair = *ranges.add_list();
    pair.add_i(range.least);
    pair.add_i(range.most);
  }
}

void AddDataOp(ge::GraphDef& graph, const IoDescription& input, std::span<const int64_t> dims) {
  ge::OpDef& op = *graph.add_op();
  op.set_name(input.name);
  op.set_type(kDataOp);
  op.set_id(graph.op_size() - 1);
  SetInt(op.mutable_attr(), kIndexAttr, static_cast<uint64_t>(graph.op_size()) - 1);
  FillTensor(*op.add_input_desc(), input, dims);
  FillTensor(*op.add_output_desc(), input, dims);
}

// "node:index:name" -> the op and which of its outputs; a name of another form is its own op.
void AddSource(ge::OpDef& net_output, const std::string& name) {
  const size_t colon = name.find(':');
  int64_t index = 0;
  if (colon != std::string::npos) {
    std::from_chars(name.data() + colon + 1, name.data() + name.size(), index);
  }
  const std::string node = name.substr(0, colon);
  net_output.add_input(node + ":" + std::to_string(index));
  net_output.add_src_name(node);
  net_output.add_src_index(index);
}

void AddGearCase(ge::GraphDef& graph, const ModelIo& io) {
  ge::OpDef& op = *graph.add_op();
  op.set_name(kGearCaseName);
  op.set_type(kCaseOp);
  op.set_id(graph.op_size() - 1);
  SetInt(op.mutable_attr(), kGearCountAttr, io.gears.size());
  SetInt(op.mutable_attr(), kDynamicTypeAttr, static_cast<uint64_t>(io.gear_kind));
  for (size_t i = 0; i < io.gears.size(); ++i) {
    SetInts(op.mutable_attr(), kGearValuesAttrPrefix + std::to_string(i), io.gears[i].values);
  }
  std::vector<std::string> order;
  for (const IoDescription& input : io.inputs) {
    order.push_back(input.name);
  }
  SetTexts(op.mutable_attr(), kShapeOrderAttr, order);
}

// The gear whose values multiply to the most, which is what the root graph shows.
size_t LargestGear(std::span<const GearDescription> gears) {
  size_t largest = 0;
  double most = 0;
  for (size_t i = 0; i < gears.size(); ++i) {
    double product = 1;  // A double: only the order matters, and it does not overflow.
    for (const int64_t value : gears[i].values) {
      product *= static_cast<double>(value);
    }
    if (product > most) {
      most = product;
      largest = i;
    }
  }
  return largest;
}

void WriteGraph(ge::GraphDef& graph, const ModelIo& io) {
  static_assert(static_cast<int>(GearKind::kBatch) == 1 &&
                    static_cast<int>(GearKind::kImage) == 2 &&
                    static_cast<int>(GearKind::kDims) == 3,
                "mbatch_dynamic_type has these numbers");
  const bool has_gears = io.gear_kind != GearKind::kNone;
  const std::span<const int64_t> largest =
      has_gears ? std::span<const int64_t>(io.gears[LargestGear(io.gears)].values)
                : std::span<const int64_t>();
  const std::vector<std::vector<int64_t>> dims = FillDims(io.inputs, io.gear_kind, largest);
  for (size_t i = 0; i < io.inputs.size(); ++i) {
    AddDataOp(graph, io.inputs[i], dims[i]);
    if (has_gears) {
      SetInts(graph.mutable_op(static_cast<int>(i))->mutable_attr(), kOriginDimsAttr,
              io.inputs[i].dims);
    }
  }
  if (has_gears) {
    const IoDescription reserved = GearTensor(io);
    AddDataOp(graph, reserved, reserved.dims);
    AddGearCase(graph, io);
  }
  ge::OpDef& net_output = *graph.add_op();
  net_output.set_name(kNetOutputOp);
  net_output.set_type(kNetOutputOp);
  net_output.set_id(graph.op_size() - 1);
  for (const IoDescription& output : io.outputs) {
    FillTensor(*net_output.add_input_desc(), output, output.dims);
    AddSource(net_output, output.name);
  }
  if (has_gears) {
    SetTexts(net_output.mutable_attr(), kOutputDimsAttr, FormatOutputDims(io.gears));
  }
}

// Maps in a fixed order, so that equal models are equal bytes.
std::string Serialize(const ge::ModelDef& model) {
  std::string bytes;
  {
    google::protobuf::io::StringOutputStream stream(&bytes);
    google::protobuf::io::CodedOutputStream coded(&stream);
    coded.SetSerializationDeterministic(true);
    model.SerializeToCodedStream(&coded);
  }
  return bytes;
}

}  // namespace

std::string WriteModelDef(const ModelDescription& description, const ModelIo& io) {
  ge::ModelDef model;
  model.set_name(description.name);
  model.set_version(1);
  WriteGraph(*model.add_graph(), io);
  model.mutable_graph(0)->set_name(description.name);
  Attrs attrs = model.mutable_attr();
  SetText(attrs, kSocVersionAttr, description.soc_version);
  SetText(attrs, kAtcVersionAttr, description.atc_version);
  SetText(attrs, kAtcCmdlineAttr, description.atc_cmdline);
  SetInt(attrs, kMemorySizeAttr, description.work_bytes);
  SetInt(attrs, kWeightSizeAttr, description.weight_bytes);
  SetInt(attrs, kStreamNumAttr, description.stream_count);
  SetInt(attrs, kEventNumAttr, description.event_count);
  if (!description.cost_us.empty()) {
    SetInts(attrs, kCostAttr, description.cost_us);
  }
  std::vector<std::string> names;
  for (const IoDescription& output : io.outputs) {
    names.push_back(output.name);
  }
  SetTexts(attrs, kOutputNamesAttr, names);
  return Serialize(model);
}

}  // namespace omserve::om
