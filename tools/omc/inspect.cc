// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/inspect.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/tensor.h"
#include "runtime/om/costs.h"
#include "runtime/om/data_type.h"
#include "runtime/om/model_description.h"
#include "runtime/om/om_file.h"
#include "runtime/om/utf8.h"

namespace omserve::omc {
namespace {

namespace json = boost::json;

// boost::json has a string_view of its own.
json::string Text(std::string_view text) { return json::string(text.data(), text.size()); }

json::array Numbers(std::span<const int64_t> numbers) {
  return json::array(numbers.begin(), numbers.end());
}

std::string_view ModelTypeName(uint8_t type) {
  constexpr std::array<std::string_view, 6> kNames = {"IR model", "standard", "tiny",
                                                      "flow",     "lite",     "bundle"};
  return type < kNames.size() ? kNames.at(type) : "unknown";
}

json::object HeaderJson(const om::OmFile& file, size_t file_bytes) {
  const om::Header& header = file.header();
  return {{"version", header.version == om::kVersion1 ? 1 : 2},
          {"name", Text(om::ToUtf8(header.name))},
          {"model_type", Text(ModelTypeName(header.model_type))},
          {"model_num", header.model_num},
          {"om_ir_version", header.om_ir_version},
          {"platform_version", Text(om::ToUtf8(header.platform_version))},
          {"unknown_shape", header.is_unknown_shape},
          {"tables", file.has_wide_tables() ? "wide" : "small"},
          {"file_bytes", file_bytes}};
}

json::array PartitionsJson(const om::OmFile& file, std::span<const std::byte> bytes) {
  json::array partitions;
  for (size_t model = 0; model < file.model_count(); ++model) {
    for (const om::Partition& partition : file.partitions(model)) {
      partitions.push_back(json::object{{"model", model},
                                        {"type", static_cast<uint32_t>(partition.type)},
                                        {"name", Text(om::PartitionTypeName(partition.type))},
                                        {"file_offset", partition.data.data() - bytes.data()},
                                        {"bytes", partition.data.size()}});
    }
  }
  return partitions;
}

json::array TensorsJson(std::span<const om::IoDescription> tensors) {
  json::array array;
  for (const om::IoDescription& tensor : tensors) {
    array.push_back(json::object{{"name", Text(tensor.name)},
                                 {"data_type", Text(om::AclTypeName(tensor.acl_data_type))},
                                 {"format", Text(om::AclFormatName(tensor.acl_format))},
                                 {"dims", Numbers(tensor.dims)},
                                 {"bytes", tensor.size_bytes}});
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

// Rows with columns as wide as their widest cell; two spaces in front and between.
class Table final {
 public:
  explicit Table(std::vector<std::string> heading) { Add(std::move(heading)); }

  void Add(std::vector<std::string> row) {
    widths_.resize(std::max(widths_.size(), row.size()), 0);
    for (size_t i = 0; i < row.size(); ++i) {
      widths_[i] = std::max(widths_[i], row[i].size());
    }
    rows_.push_back(std::move(row));
  }

  std::string Show() const {
    std::string text;
    for (const std::vector<std::string>& row : rows_) {
      std::string line;
      for (size_t i = 0; i < row.size(); ++i) {
        line += fmt::format("  {:<{}}", row[i], widths_[i]);
      }
      line.erase(line.find_last_not_of(' ') + 1);
      text += line + "\n";
    }
    return text;
  }

 private:
  std::vector<std::vector<std::string>> rows_;
  std::vector<size_t> widths_;
};

std::string HeaderText(const om::OmFile& file, size_t file_bytes) {
  const om::Header& header = file.header();
  return fmt::format(
      "Header\n  name {}, version {}, {}, models {}, ir version {}, platform '{}', {} tables{}\n"
      "  file of {} bytes\n",
      om::PrintableText(header.name), header.version == om::kVersion1 ? 1 : 2,
      ModelTypeName(header.model_type), header.model_num, header.om_ir_version,
      om::PrintableText(header.platform_version), file.has_wide_tables() ? "wide" : "small",
      header.is_unknown_shape ? ", unknown shapes" : "", file_bytes);
}

std::string PartitionsText(const om::OmFile& file, std::span<const std::byte> bytes) {
  Table table({"model", "type", "name", "file offset", "bytes"});
  for (size_t model = 0; model < file.model_count(); ++model) {
    for (const om::Partition& partition : file.partitions(model)) {
      table.Add({std::to_string(model), std::to_string(static_cast<uint32_t>(partition.type)),
                 std::string(om::PartitionTypeName(partition.type)),
                 std::to_string(partition.data.data() - bytes.data()),
                 std::to_string(partition.data.size())});
    }
  }
  return "\nPartitions\n" + table.Show();
}

std::string TensorsText(std::string_view heading, std::span<const om::IoDescription> tensors) {
  Table table({"name", "type", "format", "dims", "bytes"});
  for (const om::IoDescription& tensor : tensors) {
    table.Add({tensor.name, std::string(om::AclTypeName(tensor.acl_data_type)),
               std::string(om::AclFormatName(tensor.acl_format)), DimsToString(tensor.dims),
               std::to_string(tensor.size_bytes)});
  }
  return fmt::format("\n{}\n{}", heading, table.Show());
}

std::string GearsText(const om::ModelDescription& model) {
  if (model.gear_kind == om::GearKind::kNone) {
    return "\nGears\n  none: one fixed size\n";
  }
  std::vector<std::string> heading = {std::string(om::GearKindName(model.gear_kind))};
  for (const om::IoDescription& input : model.inputs) {
    heading.push_back(input.name);
  }
  for (const om::IoDescription& output : model.outputs) {
    heading.push_back(output.name);
  }
  Table table(std::move(heading));
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

std::string ModelText(const om::ModelDescription& model) {
  Table facts({"soc version", model.soc_version.empty() ? "not said" : model.soc_version});
  facts.Add({"compiler", model.atc_version});
  facts.Add({"command", model.atc_cmdline});
  facts.Add({"work bytes", std::to_string(model.work_bytes)});
  facts.Add({"weight bytes", std::to_string(model.weight_bytes)});
  facts.Add({"streams", std::to_string(model.stream_count)});
  facts.Add({"events", std::to_string(model.event_count)});
  facts.Add({"cost us", model.cost_us.empty() ? "not recorded" : om::FormatCosts(model)});
  return fmt::format("\nModel {}\n{}{}{}{}", model.name, facts.Show(),
                     TensorsText("Inputs", model.inputs), TensorsText("Outputs", model.outputs),
                     GearsText(model));
}

}  // namespace

absl::StatusOr<std::string> Inspect(std::span<const std::byte> bytes, InspectForm form) {
  ASSIGN_OR_RETURN(const om::OmFile file, om::OmFile::Parse(bytes));
  const absl::StatusOr<om::ModelDescription> model = om::DescribeModel(file);
  if (form == InspectForm::kText) {
    return HeaderText(file, bytes.size()) + PartitionsText(file, bytes) +
           (model.ok()
                ? ModelText(*model)
                : fmt::format("\nModel\n  cannot be described: {}\n", MessageOf(model.status())));
  }
  json::object object = {{"header", HeaderJson(file, bytes.size())},
                         {"partitions", PartitionsJson(file, bytes)}};
  if (model.ok()) {
    object["model"] = ModelJson(*model);
  } else {
    object["model"] = nullptr;
    object["model_error"] = Text(MessageOf(model.status()));
  }
  return json::serialize(object) + "\n";
}

absl::StatusOr<std::string> InspectFile(const std::string& path, InspectForm form) {
  ASSIGN_OR_RETURN(const MappedFile file, MappedFile::Open(path));
  absl::StatusOr<std::string> text = Inspect(file.bytes(), form);
  if (!text.ok()) {
    return WithContext(text.status(), "'" + path + "'");
  }
  return text;
}

}  // namespace omserve::omc
