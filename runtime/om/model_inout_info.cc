// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/model_inout_info.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/om/byte_reader.h"
#include "runtime/om/data_type.h"

namespace omserve::om {
namespace {

enum InfoType : uint32_t {
  kInputs = 0,
  kOutputs = 1,
  kDynamicBatch = 2,
  kDynamicImage = 3,
  kDynamicDims = 4,
  kOutputDims = 5,
  kShapeOrder = 6,
};
constexpr size_t kInfoTypes = 7;
constexpr std::array<const char*, kInfoTypes> kInfoNames = {
    "input descriptions", "output descriptions", "batch gears",      "image gears",
    "dims gears",         "output dims",         "input shape order"};

absl::Status Cut(std::string_view what, const ByteReader& reader) {
  return InvalidArgument("{}: byte {} and its {} bytes that follow do not hold what the counts say",
                         what, reader.position(), reader.remaining());
}

// `count` numbers of 8 bytes.
std::optional<std::vector<int64_t>> ReadNumbers(ByteReader& reader, uint64_t count) {
  if (count > reader.remaining() / sizeof(int64_t)) {
    return std::nullopt;
  }
  std::vector<int64_t> numbers(static_cast<size_t>(count));
  for (int64_t& number : numbers) {
    number = reader.Read<int64_t>().value_or(0);
  }
  return numbers;
}

std::optional<IoDescription> ReadTensor(ByteReader& reader) {
  const auto size_bytes = reader.Read<uint64_t>();
  const auto format = reader.Read<int32_t>();
  const auto data_type = reader.Read<int32_t>();
  const auto name_bytes = reader.Read<uint32_t>();
  const auto dims_bytes = reader.Read<uint32_t>();
  const auto dims_v2_bytes = reader.Read<uint32_t>();
  const auto range_bytes = reader.Read<uint32_t>();
  if (!range_bytes.has_value() || *dims_bytes % sizeof(int64_t) != 0 ||
      *dims_v2_bytes % sizeof(int64_t) != 0 || *range_bytes % (2 * sizeof(int64_t)) != 0) {
    return std::nullopt;
  }
  IoDescription tensor;
  tensor.size_bytes = *size_bytes;
  tensor.acl_format = *format;
  tensor.acl_data_type = *data_type;
  const auto name = reader.Take(*name_bytes);
  if (!name.has_value()) {
    return std::nullopt;
  }
  tensor.name = AsText(*name);
  auto dims = ReadNumbers(reader, *dims_bytes / sizeof(int64_t));
  auto raw_dims = ReadNumbers(reader, *dims_v2_bytes / sizeof(int64_t));
  const auto ranges = ReadNumbers(reader, *range_bytes / sizeof(int64_t));
  if (!dims.has_value() || !raw_dims.has_value() || !ranges.has_value()) {
    return std::nullopt;
  }
  if (*raw_dims != *dims) {
    tensor.raw_dims = *std::move(raw_dims);
  }
  for (size_t i = 0; i + 1 < ranges->size(); i += 2) {
    tensor.dim_ranges.push_back(DimRange{.least = (*ranges)[i], .most = (*ranges)[i + 1]});
  }
  tensor.dims = *std::move(dims);
  return tensor;
}

absl::StatusOr<std::vector<IoDescription>> ReadTensors(ByteReader reader, std::string_view what) {
  constexpr size_t kLeastTensorBytes = 32;
  const auto count = reader.Read<uint32_t>();
  if (!count.has_value() || *count > reader.remaining() / kLeastTensorBytes) {
    return Cut(what, reader);
  }
  std::vector<IoDescription> tensors;
  tensors.reserve(*count);
  for (uint32_t i = 0; i < *count; ++i) {
    std::optional<IoDescription> tensor = ReadTensor(reader);
    if (!tensor.has_value()) {
      return Cut(what, reader);
    }
    tensors.push_back(*std::move(tensor));
  }
  return tensors;
}

absl::StatusOr<std::vector<GearDescription>> ReadBatchGears(ByteReader reader,
                                                            std::string_view what) {
  const auto count = reader.Read<uint32_t>();
  const auto batches = count.has_value() ? ReadNumbers(reader, *count) : std::nullopt;
  if (!batches.has_value()) {
    return Cut(what, reader);
  }
  std::vector<GearDescription> gears;
  for (const int64_t batch : *batches) {
    gears.push_back(GearDescription{.values = {batch}, .output_dims = {}});
  }
  return gears;
}

// n, n counts of values, then all values.
absl::StatusOr<std::vector<GearDescription>> ReadListGears(ByteReader reader,
                                                           std::string_view what) {
  const auto count = reader.Read<uint32_t>();
  if (!count.has_value() || *count > reader.remaining() / sizeof(uint32_t)) {
    return Cut(what, reader);
  }
  std::vector<uint32_t> value_counts(*count);
  for (uint32_t& value_count : value_counts) {
    value_count = reader.Read<uint32_t>().value_or(0);
  }
  std::vector<GearDescription> gears;
  for (const uint32_t value_count : value_counts) {
    auto values = ReadNumbers(reader, value_count);
    if (!values.has_value()) {
      return Cut(what, reader);
    }
    gears.push_back(GearDescription{.values = *std::move(values), .output_dims = {}});
  }
  return gears;
}

// n, n lengths, then all texts.
absl::StatusOr<std::vector<std::string>> ReadTexts(ByteReader reader, std::string_view what) {
  const auto count = reader.Read<uint32_t>();
  if (!count.has_value() || *count > reader.remaining() / sizeof(uint32_t)) {
    return Cut(what, reader);
  }
  std::vector<uint32_t> lengths(*count);
  for (uint32_t& length : lengths) {
    length = reader.Read<uint32_t>().value_or(0);
  }
  std::vector<std::string> texts;
  for (const uint32_t length : lengths) {
    const auto text = reader.Take(length);
    if (!text.has_value()) {
      return Cut(what, reader);
    }
    texts.emplace_back(AsText(*text));
  }
  return texts;
}

using Sections = std::array<std::optional<std::span<const std::byte>>, kInfoTypes>;

absl::StatusOr<Sections> SplitSections(std::span<const std::byte> bytes) {
  Sections sections;
  ByteReader reader(bytes);
  while (reader.remaining() > 0) {
    const size_t at = reader.position();
    const auto type = reader.Read<int32_t>();
    const auto length = reader.Read<uint32_t>();
    const auto data = length.has_value() ? reader.Take(*length) : std::nullopt;
    if (!data.has_value()) {
      return InvalidArgument(
          "the entry at byte {} (type {}, length {}) reaches over the end at byte {}", at,
          type.value_or(-1), length.value_or(0), bytes.size());
    }
    if (*type < 0 || static_cast<size_t>(*type) >= kInfoTypes) {
      continue;
    }
    auto& section = sections.at(static_cast<size_t>(*type));
    if (section.has_value()) {
      return InvalidArgument("the entry at byte {} holds the {} a second time", at,
                             kInfoNames.at(static_cast<size_t>(*type)));
    }
    section = *data;
  }
  return sections;
}

absl::Status ReadGears(const Sections& sections, ModelIo& io) {
  const std::array<std::pair<InfoType, GearKind>, 3> kinds = {{{kDynamicBatch, GearKind::kBatch},
                                                               {kDynamicImage, GearKind::kImage},
                                                               {kDynamicDims, GearKind::kDims}}};
  for (const auto& [type, kind] : kinds) {
    const auto& section = sections.at(type);
    if (!section.has_value()) {
      continue;
    }
    const ByteReader reader(*section);
    ASSIGN_OR_RETURN(std::vector<GearDescription> gears,
                     kind == GearKind::kBatch ? ReadBatchGears(reader, kInfoNames.at(type))
                                              : ReadListGears(reader, kInfoNames.at(type)));
    if (gears.empty()) {
      continue;
    }
    if (io.gear_kind != GearKind::kNone) {
      return InvalidArgument("both {} gears and {} gears, expected one kind",
                             GearKindName(io.gear_kind), GearKindName(kind));
    }
    io.gear_kind = kind;
    io.gears = std::move(gears);
  }
  return absl::OkStatus();
}

void AppendNumbers(std::string& out, std::span<const int64_t> numbers) {
  for (const int64_t number : numbers) {
    AppendNumber(out, number);
  }
}

// Writing: one function per form of section.
std::string TensorsSection(std::span<const IoDescription> tensors) {
  std::string out;
  AppendNumber(out, static_cast<uint32_t>(tensors.size()));
  for (const IoDescription& tensor : tensors) {
    const std::vector<int64_t>& raw_dims = tensor.raw_dims.empty() ? tensor.dims : tensor.raw_dims;
    AppendNumber(out, tensor.size_bytes);
    AppendNumber(out, tensor.acl_format);
    AppendNumber(out, tensor.acl_data_type);
    AppendNumber(out, static_cast<uint32_t>(tensor.name.size()));
    AppendNumber(out, static_cast<uint32_t>(tensor.dims.size() * sizeof(int64_t)));
    AppendNumber(out, static_cast<uint32_t>(raw_dims.size() * sizeof(int64_t)));
    AppendNumber(out, static_cast<uint32_t>(tensor.dim_ranges.size() * 2 * sizeof(int64_t)));
    out += tensor.name;
    AppendNumbers(out, tensor.dims);
    AppendNumbers(out, raw_dims);
    for (const DimRange& range : tensor.dim_ranges) {
      AppendNumber(out, range.least);
      AppendNumber(out, range.most);
    }
  }
  return out;
}

std::string BatchGearsSection(std::span<const GearDescription> gears) {
  std::string out;
  AppendNumber(out, static_cast<uint32_t>(gears.size()));
  for (const GearDescription& gear : gears) {
    AppendNumber(out, gear.values.front());
  }
  return out;
}

std::string ListGearsSection(std::span<const GearDescription> gears) {
  std::string out;
  AppendNumber(out, static_cast<uint32_t>(gears.size()));
  for (const GearDescription& gear : gears) {
    AppendNumber(out, static_cast<uint32_t>(gear.values.size()));
  }
  for (const GearDescription& gear : gears) {
    AppendNumbers(out, gear.values);
  }
  return out;
}

std::string TextsSection(std::span<const std::string> texts) {
  std::string out;
  AppendNumber(out, static_cast<uint32_t>(texts.size()));
  for (const std::string& text : texts) {
    AppendNumber(out, static_cast<uint32_t>(text.size()));
  }
  for (const std::string& text : texts) {
    out += text;
  }
  return out;
}

void AppendSection(std::string& out, InfoType type, const std::string& section) {
  AppendNumber(out, static_cast<int32_t>(type));
  AppendNumber(out, static_cast<uint32_t>(section.size()));
  out += section;
}

}  // namespace

absl::StatusOr<ModelIo> ReadInoutInfo(std::span<const std::byte> bytes) {
  ASSIGN_OR_RETURN(const Sections sections, SplitSections(bytes));
  if (!sections[kInputs].has_value() || !sections[kOutputs].has_value()) {
    return InvalidArgument("no {}, which every model has",
                           kInfoNames.at(sections[kInputs].has_value() ? kOutputs : kInputs));
  }
  ModelIo io;
  ASSIGN_OR_RETURN(io.inputs, ReadTensors(ByteReader(*sections[kInputs]), kInfoNames[kInputs]));
  ASSIGN_OR_RETURN(io.outputs, ReadTensors(ByteReader(*sections[kOutputs]), kInfoNames[kOutputs]));
  std::erase_if(io.inputs,
                [](const IoDescription& input) { return input.name == kGearTensorName; });
  RETURN_IF_ERROR(ReadGears(sections, io));
  if (sections[kShapeOrder].has_value()) {
    ASSIGN_OR_RETURN(const std::vector<std::string> order,
                     ReadTexts(ByteReader(*sections[kShapeOrder]), kInfoNames[kShapeOrder]));
    RETURN_IF_ERROR(OrderGearValues(order, io));
  }
  if (sections[kOutputDims].has_value() && io.gear_kind != GearKind::kNone) {
    ASSIGN_OR_RETURN(const std::vector<std::string> texts,
                     ReadTexts(ByteReader(*sections[kOutputDims]), kInfoNames[kOutputDims]));
    RETURN_IF_ERROR(ParseOutputDims(texts, io.outputs.size(), io.gears));
  }
  return io;
}

std::string WriteInoutInfo(const ModelIo& io) {
  std::string out;
  std::vector<IoDescription> inputs = io.inputs;
  if (io.gear_kind != GearKind::kNone) {
    inputs.push_back(GearTensor(io));
  }
  AppendSection(out, kInputs, TensorsSection(inputs));
  AppendSection(out, kOutputs, TensorsSection(io.outputs));
  switch (io.gear_kind) {
    case GearKind::kNone:
      return out;
    case GearKind::kBatch:
      AppendSection(out, kDynamicBatch, BatchGearsSection(io.gears));
      break;
    case GearKind::kImage:
      AppendSection(out, kDynamicImage, ListGearsSection(io.gears));
      break;
    case GearKind::kDims:
      AppendSection(out, kDynamicDims, ListGearsSection(io.gears));
      break;
  }
  AppendSection(out, kOutputDims, TextsSection(FormatOutputDims(io.gears)));
  return out;
}

}  // namespace omserve::om
