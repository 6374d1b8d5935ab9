// SPDX-License-Identifier: Apache-2.0
#include <boost/json.hpp>
#include <span>
#include <string_view>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/tensor.h"
#include "runtime/om/data_type.h"
#include "runtime/om/utf8.h"
#include "tools/omc/inspect_report.h"

namespace omserve::omc {
namespace {

namespace json = boost::json;

// boost::json has a string_view of its own.
json::string Text(std::string_view text) { return json::string(text.data(), text.size()); }

json::array Numbers(std::span<const int64_t> numbers) {
  return json::array(numbers.begin(), numbers.end());
}

std::string_view KindName(om::FileKind kind) {
  switch (kind) {
    case om::FileKind::kOm:
      return "om";
    case om::FileKind::kBundle:
      return "bundle";
    case om::FileKind::kOm2:
      return "om2";
    case om::FileKind::kOther:
      return "other";
  }
  return "";
}

json::object HeaderJson(const om::Header& header) {
  return {{"version", header.version == om::kVersion1 ? 1 : 2},
          {"name", Text(om::ToUtf8(header.name))},
          {"model_type", Text(om::ModelTypeName(header.model_type))},
          {"model_num", header.model_num},
          {"om_ir_version", header.om_ir_version},
          {"platform_version", Text(om::ToUtf8(header.platform_version))},
          {"unknown_shape", header.is_unknown_shape},
          {"dynamic", header.is_dynamic()},
          {"need_check_os_cpu", header.need_check_os_cpu}};
}

json::array PartsJson(std::span<const PartReport> parts) {
  json::array array;
  for (const PartReport& part : parts) {
    array.push_back(json::object{{"model", part.model},
                                 {"type", static_cast<uint32_t>(part.type)},
                                 {"name", Text(om::PartitionTypeName(part.type))},
                                 {"file_offset", part.file_offset},
                                 {"bytes", part.bytes}});
  }
  return array;
}

json::array EntriesJson(std::span<const om::ZipEntry> entries) {
  json::array array;
  for (const om::ZipEntry& entry : entries) {
    array.push_back(json::object{{"name", Text(om::ToUtf8(entry.name))},
                                 {"method", entry.method},
                                 {"packed_bytes", entry.packed_bytes},
                                 {"bytes", entry.bytes}});
  }
  return array;
}

json::array ModelsJson(std::span<const ModelReport> models) {
  json::array array;
  for (const ModelReport& model : models) {
    json::object object = {{"name", Text(model.name)},
                           {"bytes", model.bytes},
                           {"input_count", model.input_count},
                           {"output_count", model.output_count}};
    if (!model.error.empty()) {
      object["error"] = Text(om::ToUtf8(model.error));
    }
    array.push_back(std::move(object));
  }
  return array;
}

json::array TensorsJson(std::span<const om::IoDescription> tensors) {
  json::array array;
  for (const om::IoDescription& tensor : tensors) {
    json::object object = {{"name", Text(tensor.name)},
                           {"data_type", Text(om::AclTypeName(tensor.acl_data_type))},
                           {"format", Text(om::AclFormatName(tensor.acl_format))},
                           {"dims", Numbers(tensor.dims)},
                           {"bytes", tensor.size_bytes}};
    if (!tensor.raw_dims.empty()) {
      object["raw_dims"] = Numbers(tensor.raw_dims);
    }
    if (!tensor.dim_ranges.empty()) {
      json::array ranges;
      for (const om::DimRange& range : tensor.dim_ranges) {
        ranges.push_back(json::array{range.least, range.most});
      }
      object["dim_ranges"] = std::move(ranges);
    }
    array.push_back(std::move(object));
  }
  return array;
}

json::object ModelJson(const om::ModelDescription& model) {
  json::array gears;
  for (const om::GearDescription& gear : model.gears) {
    json::array output_dims;
    for (const Dims& dims : gear.output_dims) {
      output_dims.push_back(Numbers(dims));
    }
    gears.push_back(json::object{{"values", Numbers(gear.values)}, {"output_dims", output_dims}});
  }
  return {{"name", Text(model.name)},
          {"soc_version", Text(model.soc_version)},
          {"atc_version", Text(model.atc_version)},
          {"atc_cmdline", Text(model.atc_cmdline)},
          {"inputs", TensorsJson(model.inputs)},
          {"outputs", TensorsJson(model.outputs)},
          {"gear_kind", Text(om::GearKindName(model.gear_kind))},
          {"gears", std::move(gears)},
          {"work_bytes", model.work_bytes},
          {"weight_bytes", model.weight_bytes},
          {"stream_count", model.stream_count},
          {"event_count", model.event_count},
          {"cost_us", Numbers(model.cost_us)}};
}

void AddContents(const om::ModelContents& contents, json::object& object) {
  json::array graphs;
  for (const om::GraphSummary& graph : contents.graphs) {
    graphs.push_back(json::object{{"name", Text(graph.name)}, {"op_count", graph.op_count}});
  }
  object["graphs"] = std::move(graphs);
  json::object attrs;
  for (const om::ModelAttr& attr : contents.attrs) {
    json::value& value = attrs[json::string_view(attr.name.data(), attr.name.size())];
    if (const auto* number = std::get_if<int64_t>(&attr.value)) {
      value = *number;
    } else {
      value = Text(std::get<std::string>(attr.value));
    }
  }
  object["attributes"] = std::move(attrs);
}

}  // namespace

std::string ReportJson(const InspectReport& report) {
  json::object object = {{"kind", Text(KindName(report.kind))}, {"file_bytes", report.file_bytes}};
  if (report.bundle_header.has_value()) {
    object["bundle"] = HeaderJson(*report.bundle_header);
  }
  if (report.bundle_variable_bytes.has_value()) {
    object["variable_bytes"] = *report.bundle_variable_bytes;
  }
  if (report.header.has_value()) {
    json::object header = HeaderJson(*report.header);
    header["tables"] = report.has_wide_tables ? "wide" : "small";
    object["header"] = std::move(header);
    object["partitions"] = PartsJson(report.parts);
  }
  if (report.kind == om::FileKind::kOm2) {
    object["om2_version"] = Text(report.om2_version);
    object["entries"] = EntriesJson(report.entries);
  }
  object["models"] = ModelsJson(report.models);
  object["shown_model"] = report.shown;
  if (report.model.ok()) {
    object["model"] = ModelJson(*report.model);
  } else {
    object["model"] = nullptr;
    object["model_error"] = Text(om::ToUtf8(std::string(MessageOf(report.model.status()))));
  }
  AddContents(report.contents, object);
  return json::serialize(object) + "\n";
}

}  // namespace omserve::omc
