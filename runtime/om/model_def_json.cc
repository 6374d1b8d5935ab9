// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/model_def_json.h"

#include <algorithm>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/om/attr_reader.h"
#include "runtime/om/json_text.h"
#include "runtime/om/model_def.h"

namespace omserve::om {
namespace {

// One function per message. protobuf bounds how deep a message nests, so the recursion ends.
class Printer final {
 public:
  explicit Printer(const AttrReader& attrs) : attrs_(attrs) {}

  std::string Print(const ge::ModelDef& model) {
    out_.BeginObject();
    if (model.has_name()) {
      TextField("name", model.name());
    }
    if (model.has_version()) {
      NumberField("version", model.version());
    }
    if (model.has_custom_version()) {
      TextField("custom_version", model.custom_version());
    }
    Attrs(model.attr());
    Messages("graph", model.graph(), [this](const ge::GraphDef& graph) { Graph(graph); });
    Unknown(model.unknown_fields());
    out_.EndObject();
    return out_.Take();
  }

 private:
  void TextField(const char* key, std::string_view text) {
    out_.Key(key);
    out_.Text(text);
  }
  void NumberField(const char* key, int64_t number) {
    out_.Key(key);
    out_.Number(number);
  }
  void BoolField(const char* key, bool value) {
    out_.Key(key);
    out_.Bool(value);
  }
  void BytesField(const char* key, std::string_view bytes) {
    out_.Key(key);
    out_.BeginObject();
    out_.Key("base64");
    out_.Base64(bytes);
    out_.EndObject();
  }

  // Repeated fields; nothing where there are none.
  template <typename Values, typename Write>
  void Line(const char* key, const Values& values, const Write& write) {
    if (values.empty()) {
      return;
    }
    out_.Key(key);
    out_.BeginLine();
    for (const auto& value : values) {
      write(value);
    }
    out_.EndArray();
  }
  template <typename Values>
  void Texts(const char* key, const Values& values) {
    Line(key, values, [this](const std::string& text) { out_.Text(text); });
  }
  template <typename Values>
  void Numbers(const char* key, const Values& values) {
    Line(key, values, [this](int64_t number) { out_.Number(number); });
  }
  template <typename Values, typename Write>
  void Messages(const char* key, const Values& values, const Write& write) {
    if (values.empty()) {
      return;
    }
    out_.Key(key);
    out_.BeginArray();
    for (const auto& value : values) {
      write(value);
    }
    out_.EndArray();
  }

  void Unknown(const std::string& bytes) {
    if (!bytes.empty()) {
      NumberField("unknown_field_bytes", static_cast<int64_t>(bytes.size()));
    }
  }

  void Graph(const ge::GraphDef& graph) {
    out_.BeginObject();
    if (graph.has_name()) {
      TextField("name", graph.name());
    }
    Texts("input", graph.input());
    Texts("output", graph.output());
    Attrs(graph.attr());
    Messages("op", graph.op(), [this](const ge::OpDef& op) { Op(op); });
    Unknown(graph.unknown_fields());
    out_.EndObject();
  }

  void Op(const ge::OpDef& op) {
    out_.BeginObject();
    if (op.has_name()) {
      TextField("name", op.name());
    }
    if (op.has_type()) {
      TextField("type", op.type());
    }
    Texts("input", op.input());
    Attrs(op.attr());
    if (op.has_has_out_attr()) {
      BoolField("has_out_attr", op.has_out_attr());
    }
    if (op.has_id()) {
      NumberField("id", op.id());
    }
    if (op.has_stream_id()) {
      NumberField("stream_id", op.stream_id());
    }
    Texts("input_name", op.input_name());
    Texts("src_name", op.src_name());
    Numbers("src_index", op.src_index());
    Texts("dst_name", op.dst_name());
    Numbers("dst_index", op.dst_index());
    Numbers("input_i", op.input_i());
    Numbers("output_i", op.output_i());
    Numbers("workspace", op.workspace());
    Numbers("workspace_bytes", op.workspace_bytes());
    Line("is_input_const", op.is_input_const(), [this](bool value) { out_.Bool(value); });
    const auto tensor = [this](const ge::TensorDescriptor& desc) { Descriptor(desc); };
    Messages("input_desc", op.input_desc(), tensor);
    Messages("output_desc", op.output_desc(), tensor);
    Texts("subgraph_name", op.subgraph_name());
    Unknown(op.unknown_fields());
    out_.EndObject();
  }

  void Descriptor(const ge::TensorDescriptor& desc) {
    out_.BeginObject();
    if (desc.has_name()) {
      TextField("name", desc.name());
    }
    if (desc.has_dtype()) {
      TextField("dtype", ge::DataType_Name(desc.dtype()));
    }
    if (desc.has_shape()) {
      out_.Key("shape");
      out_.BeginObject();
      Numbers("dim", desc.shape().dim());
      out_.EndObject();
    }
    if (desc.has_layout()) {
      TextField("layout", desc.layout());
    }
    Attrs(desc.attr());
    DescriptorSizes(desc);
    Unknown(desc.unknown_fields());
    out_.EndObject();
  }

  void DescriptorSizes(const ge::TensorDescriptor& desc) {
    if (desc.has_has_out_attr()) {
      BoolField("has_out_attr", desc.has_out_attr());
    }
    if (desc.has_size()) {
      NumberField("size", desc.size());
    }
    if (desc.has_weight_size()) {
      NumberField("weight_size", desc.weight_size());
    }
    if (desc.has_reuse_input()) {
      BoolField("reuse_input", desc.reuse_input());
    }
    if (desc.has_output_tensor()) {
      BoolField("output_tensor", desc.output_tensor());
    }
    if (desc.has_device_type()) {
      TextField("device_type", desc.device_type());
    }
    if (desc.has_input_tensor()) {
      BoolField("input_tensor", desc.input_tensor());
    }
    if (desc.has_real_dim_cnt()) {
      NumberField("real_dim_cnt", desc.real_dim_cnt());
    }
    if (desc.has_reuse_input_index()) {
      NumberField("reuse_input_index", desc.reuse_input_index());
    }
    if (desc.has_data_offset()) {
      NumberField("data_offset", desc.data_offset());
    }
    if (desc.has_cmps_size()) {
      NumberField("cmps_size", desc.cmps_size());
    }
  }

  void Tensor(const ge::TensorDef& tensor) {
    out_.BeginObject();
    if (tensor.has_desc()) {
      out_.Key("desc");
      Descriptor(tensor.desc());
    }
    if (tensor.has_data()) {
      BytesField("data", tensor.data());
    }
    Unknown(tensor.unknown_fields());
    out_.EndObject();
  }

  void Named(const ge::NamedAttrs& named) {
    out_.BeginObject();
    if (named.has_name()) {
      TextField("name", named.name());
    }
    Attrs(named.attr());
    Unknown(named.unknown_fields());
    out_.EndObject();
  }

  void Attrs(const AttrMap& attrs) {
    if (attrs.empty()) {
      return;
    }
    std::vector<std::pair<AttrReader::PlainKey, const ge::AttrDef*>> sorted;
    for (const auto& [key, attr] : attrs) {
      sorted.emplace_back(attrs_.PlainKeyOf(key), &attr);
    }
    std::ranges::sort(sorted, {},
                      [](const auto& entry) -> const std::string& { return entry.first.name; });
    out_.Key("attr");
    out_.BeginObject();
    for (const auto& [key, attr] : sorted) {
      out_.Key(key.name);
      out_.BeginObject();
      Value(*attr, key.texts_are_indices);
      Unknown(attr->unknown_fields());
      out_.EndObject();
    }
    out_.EndObject();
  }

  // The one field that is set.
  void Value(const ge::AttrDef& attr, bool texts_are_indices) {
    switch (attr.value_case()) {
      case ge::AttrDef::kList:
        out_.Key("list");
        List(attr.list(), texts_are_indices);
        return;
      case ge::AttrDef::kS:
        return TextField("s", attr.s());
      case ge::AttrDef::kI: {
        const auto text = texts_are_indices ? attrs_.TextOf(attr.i()) : std::nullopt;
        return text.has_value() ? TextField("s", *text) : NumberField("i", attr.i());
      }
      case ge::AttrDef::kF:
        out_.Key("f");
        return out_.Real(attr.f());
      case ge::AttrDef::kB:
        return BoolField("b", attr.b());
      case ge::AttrDef::kBt:
        return BytesField("bt", attr.bt());
      case ge::AttrDef::kFunc:
        out_.Key("func");
        return Named(attr.func());
      case ge::AttrDef::kTd:
        out_.Key("td");
        return Descriptor(attr.td());
      case ge::AttrDef::kT:
        out_.Key("t");
        return Tensor(attr.t());
      case ge::AttrDef::kG:
        out_.Key("g");
        return Graph(attr.g());
      case ge::AttrDef::kListListInt:
        out_.Key("list_list_int");
        out_.BeginObject();
        Messages("list", attr.list_list_int().list(), [this](const ge::ListInt& list) {
          out_.BeginObject();
          Numbers("i", list.i());
          out_.EndObject();
        });
        return out_.EndObject();
      case ge::AttrDef::kDt:
        return NumberField("dt", attr.dt());
      case ge::AttrDef::kListListFloat:
        out_.Key("list_list_float");
        out_.BeginObject();
        Messages("list", attr.list_list_float().list(), [this](const ge::ListFloat& list) {
          out_.BeginObject();
          Line("f", list.f(), [this](float value) { out_.Real(value); });
          out_.EndObject();
        });
        return out_.EndObject();
      case ge::AttrDef::kExpression:
        return TextField("expression", attr.expression());
      case ge::AttrDef::VALUE_NOT_SET:
        return;
    }
  }

  void List(const ge::AttrDef::ListValue& list, bool texts_are_indices) {
    out_.BeginObject();
    Texts("s", list.s());
    if (texts_are_indices) {
      Line("s", list.i(), [this](int64_t index) {
        const std::optional<std::string> text = attrs_.TextOf(index);
        text.has_value() ? out_.Text(*text) : out_.Number(index);
      });
    } else {
      Numbers("i", list.i());
    }
    Line("f", list.f(), [this](float value) { out_.Real(value); });
    Line("b", list.b(), [this](bool value) { out_.Bool(value); });
    Line("bt", list.bt(), [this](const std::string& bytes) { out_.Base64(bytes); });
    Messages("td", list.td(), [this](const ge::TensorDescriptor& desc) { Descriptor(desc); });
    Messages("t", list.t(), [this](const ge::TensorDef& tensor) { Tensor(tensor); });
    Messages("g", list.g(), [this](const ge::GraphDef& graph) { Graph(graph); });
    Messages("na", list.na(), [this](const ge::NamedAttrs& named) { Named(named); });
    Numbers("dt", list.dt());
    if (list.has_val_type()) {
      NumberField("val_type", list.val_type());
    }
    Unknown(list.unknown_fields());
    out_.EndObject();
  }

  const AttrReader& attrs_;
  JsonText out_;
};

}  // namespace

absl::StatusOr<std::string> ModelDefJson(const OmFile& file, size_t model) {
  if (model >= file.model_count()) {
    return InvalidArgument("model {} of a file that has {}", model, file.model_count());
  }
  ASSIGN_OR_RETURN(const ge::ModelDef parsed, ParseModelDef(file, model));
  const absl::StatusOr<AttrReader> attrs = AttrReader::Make(parsed);
  if (!attrs.ok()) {
    return WithContext(attrs.status(), "MODEL_DEF");
  }
  return Printer(*attrs).Print(parsed);
}

}  // namespace omserve::om
