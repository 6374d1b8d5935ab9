// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <span>
#include <string_view>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/tensor.h"
#include "runtime/om/costs.h"
#include "runtime/om/data_type.h"
#include "runtime/om/utf8.h"
#include "tools/omc/inspect_report.h"
#include "tools/omc/text_table.h"

namespace omserve::omc {
namespace {

// Attributes of the model that stand in a section of their own, or say again what one says.
constexpr auto kShownAttrs = std::to_array<std::string_view>(
    {"soc_version", "atc_version", "atc_cmdline", "framework_type", "opp_version",
     "compiler_version", "arch_type", "host_env_os", "host_env_cpu", "memory_size", "weight_size",
     "zero_copy_memory_size", "p2p_memory_size", "session_scope_memory_size", "stream_num",
     "event_num", "notify_num", "label_num", "omserve_cost_us"});

std::string ValueText(const om::ModelAttr& attr) {
  const auto* number = std::get_if<int64_t>(&attr.value);
  return number != nullptr ? std::to_string(*number) : std::get<std::string>(attr.value);
}

// "" when the model does not say it.
std::string AttrText(const om::ModelContents& contents, std::string_view name) {
  const om::ModelAttr* attr = contents.Find(name);
  return attr == nullptr ? std::string() : ValueText(*attr);
}

// As atc's --framework numbers them.
std::string FrameworkText(const std::string& number) {
  constexpr std::array<std::string_view, 6> kNames = {"Caffe",      "MindSpore", "",
                                                      "TensorFlow", "IR model",  "ONNX"};
  const size_t index = number.size() == 1 ? static_cast<size_t>(number[0] - '0') : kNames.size();
  return index < kNames.size() && !kNames.at(index).empty()
             ? fmt::format("{} ({})", kNames.at(index), number)
             : number;
}

std::string FormText(const InspectReport& report) {
  if (report.kind == om::FileKind::kOm2) {
    return fmt::format("om2 archive, version {}",
                       report.om2_version.empty() ? "not said" : report.om2_version);
  }
  const std::string om = report.header.has_value()
                             ? fmt::format(".om, header version {}, {} tables",
                                           report.header->version == om::kVersion1 ? 1 : 2,
                                           report.has_wide_tables ? "wide" : "small")
                             : "damaged";
  return report.kind == om::FileKind::kBundle
             ? fmt::format("bundle; model {} of it: {}", report.shown, om)
             : om;
}

std::string FileText(const InspectReport& report) {
  FactList facts;
  facts.Add("form", FormText(report));
  facts.Add("bytes", std::to_string(report.file_bytes));
  if (report.bundle_header.has_value()) {
    facts.Add("bundle", om::PrintableText(report.bundle_header->name));
  }
  if (report.bundle_variable_bytes.has_value()) {
    facts.Add("variable bytes", std::to_string(*report.bundle_variable_bytes));
  }
  if (report.header.has_value()) {
    const om::Header& header = *report.header;
    facts.Add("name", om::PrintableText(header.name));
    facts.Add("type", fmt::format("{}, ir version {}", om::ModelTypeName(header.model_type),
                                  header.om_ir_version));
    facts.Add("platform", om::PrintableText(header.platform_version));
    facts.Add("shapes", header.is_dynamic() ? "known when it runs" : "fixed, or a gear's");
    facts.Add("operators", header.need_check_os_cpu ? "for one host system and processor" : "");
  }
  facts.Add("models", std::to_string(report.models.size()));
  return "File\n" + facts.Show();
}

std::string ModelsText(const InspectReport& report) {
  if (report.models.size() == 1) {
    return "";
  }
  TextTable table({"model", "name", "bytes", "inputs", "outputs"});
  std::string errors;
  for (size_t i = 0; i < report.models.size(); ++i) {
    const ModelReport& model = report.models[i];
    const bool described = model.error.empty();
    table.Add({std::to_string(i), described ? model.name : "?", std::to_string(model.bytes),
               described ? std::to_string(model.input_count) : "?",
               described ? std::to_string(model.output_count) : "?"});
    if (!described) {
      errors += fmt::format("  model {} cannot be described: {}\n", i, model.error);
    }
  }
  return "\nModels\n" + table.Show() + errors;
}

std::string PartsText(const InspectReport& report) {
  if (report.kind == om::FileKind::kOm2) {
    TextTable table({"name", "packed", "packed bytes", "bytes"});
    for (const om::ZipEntry& entry : report.entries) {
      table.Add({om::PrintableText(entry.name),
                 entry.method == 0   ? "stored"
                 : entry.method == 8 ? "deflated"
                                     : fmt::format("method {}", entry.method),
                 std::to_string(entry.packed_bytes), std::to_string(entry.bytes)});
    }
    return "\nEntries\n" + table.Show();
  }
  TextTable table({"model", "type", "name", "file offset", "bytes"});
  for (const PartReport& part : report.parts) {
    table.Add({std::to_string(part.model), std::to_string(static_cast<uint32_t>(part.type)),
               std::string(om::PartitionTypeName(part.type)), std::to_string(part.file_offset),
               std::to_string(part.bytes)});
  }
  return "\nPartitions\n" + table.Show();
}

std::string CompiledText(const om::ModelDescription& model, const om::ModelContents& contents) {
  FactList facts;
  facts.Add("soc version", model.soc_version.empty() ? "not said" : model.soc_version);
  facts.Add("compiler", model.atc_version);
  facts.Add("framework", FrameworkText(AttrText(contents, "framework_type")));
  facts.Add("operators", AttrText(contents, "opp_version"));
  facts.Add("kernel compiler", AttrText(contents, "compiler_version"));
  facts.Add("architecture", AttrText(contents, "arch_type"));
  facts.Add("host system", AttrText(contents, "host_env_os"));
  facts.Add("host processor", AttrText(contents, "host_env_cpu"));
  facts.Add("command", model.atc_cmdline);
  return "\nCompiled\n" + facts.Show();
}

std::string NeedsText(const InspectReport& report) {
  const om::ModelDescription& model = *report.model;
  const om::ModelContents& contents = report.contents;
  FactList facts;
  facts.Add("work bytes", std::to_string(model.work_bytes));
  facts.Add("weight bytes", std::to_string(model.weight_bytes));
  facts.Add("zero copy bytes", AttrText(contents, "zero_copy_memory_size"));
  facts.Add("peer bytes", AttrText(contents, "p2p_memory_size"));
  facts.Add("session bytes", AttrText(contents, "session_scope_memory_size"));
  if (report.kind != om::FileKind::kOm2) {  // Which does not say them.
    facts.Add("streams", std::to_string(model.stream_count));
    facts.Add("events", std::to_string(model.event_count));
  }
  facts.Add("cost us", model.cost_us.empty() ? "" : om::FormatCosts(model));
  facts.Add("notifies", AttrText(contents, "notify_num"));
  facts.Add("labels", AttrText(contents, "label_num"));
  return "\nNeeds on the device\n" + facts.Show();
}

std::string RangesText(std::span<const om::DimRange> ranges) {
  std::string text;
  for (const om::DimRange& range : ranges) {
    text += text.empty() ? "[" : ",";
    text += range.most == range.least ? std::to_string(range.least)
            : range.most == -1        ? fmt::format("{}..", range.least)
                                      : fmt::format("{}..{}", range.least, range.most);
  }
  return text.empty() ? text : text + "]";
}

std::string TensorsText(std::string_view heading, std::span<const om::IoDescription> tensors) {
  const bool has_ranges = std::ranges::any_of(
      tensors, [](const om::IoDescription& tensor) { return !tensor.dim_ranges.empty(); });
  const bool has_raw_dims = std::ranges::any_of(
      tensors, [](const om::IoDescription& tensor) { return !tensor.raw_dims.empty(); });
  std::vector<std::string> columns = {"name", "type", "format", "dims", "bytes"};
  if (has_ranges) {
    columns.emplace_back("range");
  }
  if (has_raw_dims) {
    columns.emplace_back("dims before preprocessing");
  }
  TextTable table(std::move(columns));
  for (const om::IoDescription& tensor : tensors) {
    std::vector<std::string> row = {tensor.name, std::string(om::AclTypeName(tensor.acl_data_type)),
                                    std::string(om::AclFormatName(tensor.acl_format)),
                                    DimsToString(tensor.dims), std::to_string(tensor.size_bytes)};
    if (has_ranges) {
      row.push_back(RangesText(tensor.dim_ranges));
    }
    if (has_raw_dims) {
      row.push_back(DimsToString(tensor.raw_dims.empty() ? tensor.dims : tensor.raw_dims));
    }
    table.Add(std::move(row));
  }
  return fmt::format("\n{}\n{}", heading, table.Show());
}

std::string GearsText(const om::ModelDescription& model) {
  if (model.gear_kind == om::GearKind::kNone) {
    const bool open = std::ranges::any_of(model.inputs, [](const om::IoDescription& input) {
      return std::ranges::count(input.dims, int64_t{-1}) > 0;
    });
    return open ? "\nGears\n  none: dims of -1 are what a request brings\n"
                : "\nGears\n  none: one fixed size\n";
  }
  std::vector<std::string> heading = {std::string(om::GearKindName(model.gear_kind))};
  for (const om::IoDescription& input : model.inputs) {
    heading.push_back(input.name);
  }
  for (const om::IoDescription& output : model.outputs) {
    heading.push_back(output.name);
  }
  TextTable table(std::move(heading));
  for (size_t i = 0; i < model.gears.size(); ++i) {
    std::vector<std::string> row = {DimsToString(model.gears[i].values)};
    for (const Dims& dims : om::InputDimsAtGear(model, i)) {
      row.push_back(DimsToString(dims));
    }
    for (const Dims& dims : model.gears[i].output_dims) {
      row.push_back(DimsToString(dims));
    }
    table.Add(std::move(row));
  }
  return "\nGears\n" + table.Show();
}

std::string GraphsText(const om::ModelContents& contents) {
  TextTable table({"graph", "ops"});
  for (const om::GraphSummary& graph : contents.graphs) {
    table.Add({graph.name.empty() ? "(no name)" : graph.name, std::to_string(graph.op_count)});
  }
  return table.row_count() == 0 ? "" : "\nGraphs\n" + table.Show();
}

std::string OtherAttrsText(const om::ModelContents& contents) {
  FactList facts;
  for (const om::ModelAttr& attr : contents.attrs) {
    if (std::ranges::find(kShownAttrs, attr.name) == kShownAttrs.end()) {
      facts.Add(attr.name, ValueText(attr));
    }
  }
  const std::string text = facts.Show();
  return text.empty() ? "" : "\nOther attributes\n" + text;
}

std::string ModelText(const InspectReport& report) {
  const std::string which = report.models.size() == 1
                                ? ""
                                : fmt::format("{} of {}, ", report.shown, report.models.size());
  if (!report.model.ok()) {
    return fmt::format("\nModel {}\n  cannot be described: {}\n",
                       which.empty() ? "" : which.substr(0, which.size() - 2),
                       MessageOf(report.model.status()));
  }
  const om::ModelDescription& model = *report.model;
  return fmt::format("\nModel {}{}\n{}{}{}{}{}", which, model.name,
                     CompiledText(model, report.contents), NeedsText(report),
                     TensorsText("Inputs", model.inputs), TensorsText("Outputs", model.outputs),
                     GearsText(model));
}

}  // namespace

std::string ReportText(const InspectReport& report) {
  return FileText(report) + ModelsText(report) + PartsText(report) + ModelText(report) +
         GraphsText(report.contents) + OtherAttrsText(report.contents);
}

}  // namespace omserve::omc
