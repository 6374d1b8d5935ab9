// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/om2_file.h"

#include <algorithm>
#include <boost/json.hpp>
#include <cstdint>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/om/atc_command.h"
#include "runtime/om/data_type.h"
#include "runtime/om/json_object.h"
#include "runtime/om/model_io.h"
#include "runtime/om/utf8.h"

namespace omserve::om {
namespace {

namespace json = boost::json;

constexpr char kManifestName[] = "manifest.json";
// A description of the most tensors and gears takes less; more is an archive that means harm.
constexpr size_t kMostJsonBytes = size_t{16} << 20;
constexpr uint64_t kMostModels = 4096;

absl::StatusOr<std::string> ReadText(const ZipArchive& archive, const std::string& name) {
  const ZipEntry* entry = archive.Find(name);
  if (entry == nullptr) {
    return InvalidArgument("the archive has no '{}', which every om2 file has", name);
  }
  return archive.Read(*entry, kMostJsonBytes);
}

absl::StatusOr<IoDescription> ReadTensor(const JsonObjectReader& reader) {
  IoDescription tensor;
  ASSIGN_OR_RETURN(tensor.name, reader.Text("name"));
  ASSIGN_OR_RETURN(std::string type, reader.Text("data_type"));
  constexpr std::string_view kTypePrefix = "DT_";
  tensor.acl_data_type =
      AclFromTypeName(type.starts_with(kTypePrefix) ? type.substr(kTypePrefix.size()) : type);
  ASSIGN_OR_RETURN(const std::string format, reader.Text("format"));
  tensor.acl_format = AclFormatFromName(format);
  ASSIGN_OR_RETURN(tensor.dims, reader.Numbers("shape"));
  ASSIGN_OR_RETURN(tensor.raw_dims, reader.Numbers("shape_v2"));
  if (tensor.raw_dims == tensor.dims) {
    tensor.raw_dims.clear();
  }
  ASSIGN_OR_RETURN(tensor.size_bytes, reader.Count("size", INT64_MAX, 0));
  ASSIGN_OR_RETURN(const auto ranges, reader.NumberLists("shape_range"));
  for (const std::vector<int64_t>& range : ranges) {
    if (range.size() != 2) {
      return InvalidArgument("'shape_range' is not a list of pairs");
    }
    tensor.dim_ranges.push_back(DimRange{.least = range[0], .most = range[1]});
  }
  return tensor;
}

// In the order of their 'index'.
absl::StatusOr<std::vector<IoDescription>> ReadTensors(const JsonObjectReader& meta,
                                                       std::string_view key) {
  ASSIGN_OR_RETURN(const std::vector<const json::object*> objects, meta.Objects(key));
  std::vector<std::pair<uint64_t, IoDescription>> indexed;
  for (const json::object* object : objects) {
    const JsonObjectReader reader(*object);
    absl::StatusOr<IoDescription> tensor = ReadTensor(reader);
    if (!tensor.ok()) {
      return WithContext(tensor.status(), fmt::format("{} {}", key, indexed.size()));
    }
    ASSIGN_OR_RETURN(const uint64_t index, reader.Count("index", kMostTensors, indexed.size()));
    if (tensor->name != kGearTensorName) {
      indexed.emplace_back(index, *std::move(tensor));
    }
  }
  std::ranges::stable_sort(indexed, {}, &std::pair<uint64_t, IoDescription>::first);
  std::vector<IoDescription> tensors;
  tensors.reserve(indexed.size());
  for (auto& [index, tensor] : indexed) {
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

// The gears as om2 version "0" has them: values, and the outputs' dims as texts.
absl::Status ReadFlatGears(const JsonObjectReader& meta, ModelIo& io,
                           std::vector<std::string>& output_dims) {
  ASSIGN_OR_RETURN(const auto gears, meta.NumberLists("dynamic_batch_info"));
  for (const std::vector<int64_t>& values : gears) {
    io.gears.push_back(GearDescription{.values = values, .output_dims = {}});
  }
  ASSIGN_OR_RETURN(output_dims, meta.Texts("dynamic_output_shape"));
  return absl::OkStatus();
}

// As later versions have them: in an object of their own, each with its outputs.
absl::Status ReadNestedGears(const JsonObjectReader& dynamic, ModelIo& io) {
  ASSIGN_OR_RETURN(const std::vector<const json::object*> gears, dynamic.Objects("gears"));
  for (const json::object* object : gears) {
    const JsonObjectReader reader(*object);
    GearDescription gear;
    ASSIGN_OR_RETURN(gear.values, reader.Numbers("inputs"));
    ASSIGN_OR_RETURN(gear.output_dims, reader.NumberLists("outputs"));
    io.gears.push_back(std::move(gear));
  }
  return absl::OkStatus();
}

absl::Status ReadGears(const JsonObjectReader& meta, std::string_view command, ModelIo& io) {
  ASSIGN_OR_RETURN(const json::object* const nested, meta.Object("dynamic_dims"));
  const JsonObjectReader gears = nested == nullptr ? meta : JsonObjectReader(*nested);
  std::vector<std::string> output_dims;
  RETURN_IF_ERROR(nested == nullptr ? ReadFlatGears(meta, io, output_dims)
                                    : ReadNestedGears(gears, io));
  if (io.gears.empty()) {
    return absl::OkStatus();
  }
  constexpr uint64_t kMostKind = static_cast<uint64_t>(GearKind::kDims);
  ASSIGN_OR_RETURN(const uint64_t kind, gears.Count("dynamic_type", kMostKind, 0));
  io.gear_kind = static_cast<GearKind>(kind);
  ASSIGN_OR_RETURN(std::vector<std::string> order, gears.Texts("user_designate_shape_order"));
  const bool has_open_dims = std::ranges::any_of(io.inputs, [](const IoDescription& input) {
    return std::ranges::count(input.dims, int64_t{-1}) > 0;
  });
  if (!has_open_dims) {
    // The first version shows the largest gear's dims; which are open stands in the command alone.
    const std::vector<std::string> names = ApplyCommandShapes(command, io);
    order = order.empty() ? names : order;
  }
  RETURN_IF_ERROR(OrderGearValues(order, io));
  return ParseOutputDims(output_dims, io.outputs.size(), io.gears);
}

}  // namespace

absl::StatusOr<Om2File> Om2File::Parse(std::span<const std::byte> bytes) {
  Om2File file;
  ASSIGN_OR_RETURN(file.archive_, ZipArchive::Parse(bytes));
  const absl::Status status = file.ReadManifest();
  if (!status.ok()) {
    return WithContext(status, fmt::format("om2: {}", kManifestName));
  }
  return file;
}

absl::Status Om2File::ReadManifest() {
  ASSIGN_OR_RETURN(const std::string text, ReadText(archive_, kManifestName));
  ASSIGN_OR_RETURN(const json::object manifest, ParseJsonObject(text));
  const JsonObjectReader reader(manifest);
  ASSIGN_OR_RETURN(version_, reader.Text("om2_version"));
  ASSIGN_OR_RETURN(command_, reader.Text("atc_command"));
  ASSIGN_OR_RETURN(const uint64_t count, reader.Count("model_num", kMostModels, 1));
  model_count_ = std::max<size_t>(1, static_cast<size_t>(count));
  return absl::OkStatus();
}

absl::StatusOr<ModelDescription> DescribeModelMeta(std::string_view meta,
                                                   std::string_view command) {
  ASSIGN_OR_RETURN(const json::object object, ParseJsonObject(meta));
  const JsonObjectReader reader(object);
  ModelDescription description;
  ASSIGN_OR_RETURN(description.name, reader.Text("name"));
  ASSIGN_OR_RETURN(description.work_bytes, reader.Count("work_size", INT64_MAX, 0));
  ModelIo io;
  ASSIGN_OR_RETURN(io.inputs, ReadTensors(reader, "inputs"));
  ASSIGN_OR_RETURN(io.outputs, ReadTensors(reader, "outputs"));
  RETURN_IF_ERROR(ReadGears(reader, command, io));
  RETURN_IF_ERROR(CheckModelIo(io));
  ResolveSizes(io);
  description.inputs = std::move(io.inputs);
  description.outputs = std::move(io.outputs);
  description.gear_kind = io.gear_kind;
  description.gears = std::move(io.gears);
  description.atc_cmdline = ToUtf8(std::string(command));
  description.soc_version = CommandOption(description.atc_cmdline, "soc_version").value_or("");
  return description;
}

absl::StatusOr<ModelDescription> DescribeModel(const Om2File& file, size_t model) {
  if (model >= file.model_count()) {
    return InvalidArgument("model {} of a file that has {}", model, file.model_count());
  }
  const std::string name = fmt::format("data/model_{}/model_meta.json", model);
  const absl::StatusOr<std::string> meta = ReadText(file.archive(), name);
  absl::StatusOr<ModelDescription> description =
      meta.ok() ? DescribeModelMeta(*meta, file.command()) : meta.status();
  if (!description.ok()) {
    return WithContext(description.status(), "om2: " + name);
  }
  const ZipEntry* weights = file.archive().Find(fmt::format("data/constants/constant_{}", model));
  description->weight_bytes = weights == nullptr ? 0 : weights->bytes;
  return description;
}

}  // namespace omserve::om
