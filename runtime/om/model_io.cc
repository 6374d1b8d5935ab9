// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/model_io.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/tensor.h"
#include "runtime/om/data_type.h"
#include "runtime/om/utf8.h"

namespace omserve::om {
namespace {

absl::Status CheckRanges(const IoDescription& tensor, std::string_view kind) {
  if (tensor.raw_dims.size() > kMostDims) {
    return InvalidArgument("{} '{}' has {} dims before its preprocessing, at most {} are possible",
                           kind, tensor.name, tensor.raw_dims.size(), kMostDims);
  }
  if (!tensor.dim_ranges.empty() && tensor.dim_ranges.size() != tensor.dims.size()) {
    return InvalidArgument("{} '{}' has ranges for {} dims, but {} dims", kind, tensor.name,
                           tensor.dim_ranges.size(), tensor.dims.size());
  }
  for (const DimRange& range : tensor.dim_ranges) {
    if (range.least < 0 || range.most < -1 || (range.most != -1 && range.most < range.least)) {
      return InvalidArgument("{} '{}' has a dim from {} to {}, expected a range of sizes", kind,
                             tensor.name, range.least, range.most);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTensors(std::span<const IoDescription> tensors, std::string_view kind) {
  if (tensors.size() > kMostTensors) {
    return InvalidArgument("{} {}s, at most {} are served", tensors.size(), kind, kMostTensors);
  }
  std::set<std::string_view> names;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const IoDescription& tensor = tensors[i];
    if (tensor.name.empty() || !IsUtf8(tensor.name)) {
      return InvalidArgument("{} {} has no name in UTF-8, which clients need to address it", kind,
                             i);
    }
    if (!names.insert(tensor.name).second) {
      return InvalidArgument("{} '{}' is there twice, names must differ", kind, tensor.name);
    }
    if (tensor.dims.size() > kMostDims) {
      return InvalidArgument("{} '{}' has {} dims, at most {} are possible", kind, tensor.name,
                             tensor.dims.size(), kMostDims);
    }
    if (std::ranges::any_of(tensor.dims, [](int64_t dim) { return dim < -1; })) {
      return InvalidArgument("{} '{}' has dims {}, expected sizes, or -1 where a gear decides",
                             kind, tensor.name, DimsToString(tensor.dims));
    }
    RETURN_IF_ERROR(CheckRanges(tensor, kind));
  }
  return absl::OkStatus();
}

size_t DynamicDims(const IoDescription& tensor) {
  return static_cast<size_t>(std::ranges::count(tensor.dims, int64_t{-1}));
}

absl::Status CheckDynamicDims(const ModelIo& io, size_t& expected_values) {
  size_t total = 0;
  for (const IoDescription& input : io.inputs) {
    const size_t count = DynamicDims(input);
    total += count;
    if (io.gear_kind == GearKind::kImage && count != 0 && count != 2) {
      return InvalidArgument(
          "input '{}' has dims {} in a model with image gears, expected two -1 (height and width) "
          "or none",
          input.name, DimsToString(input.dims));
    }
  }
  if (total == 0) {
    return InvalidArgument("the model has {} gears of kind {}, but no input has a -1 in its dims",
                           io.gears.size(), GearKindName(io.gear_kind));
  }
  expected_values = io.gear_kind == GearKind::kBatch   ? 1
                    : io.gear_kind == GearKind::kImage ? 2
                                                       : total;
  return absl::OkStatus();
}

absl::Status CheckGears(const ModelIo& io) {
  if (io.gear_kind == GearKind::kNone) {
    return io.gears.empty() ? absl::OkStatus()
                            : InvalidArgument("{} gears, but no kind of gears", io.gears.size());
  }
  if (io.gears.empty() || io.gears.size() > kMostGears) {
    return InvalidArgument("{} gears of kind {}, expected 1 to {}", io.gears.size(),
                           GearKindName(io.gear_kind), kMostGears);
  }
  size_t expected_values = 0;
  RETURN_IF_ERROR(CheckDynamicDims(io, expected_values));
  const bool has_output_dims = !io.gears.front().output_dims.empty();
  for (size_t i = 0; i < io.gears.size(); ++i) {
    const GearDescription& gear = io.gears[i];
    if (gear.values.size() != expected_values) {
      return InvalidArgument("gear {} has {} values, expected {} for the -1 dims of the inputs", i,
                             gear.values.size(), expected_values);
    }
    if (std::ranges::any_of(gear.values, [](int64_t value) { return value < 1; })) {
      return InvalidArgument("gear {} is {}, expected values of at least 1", i,
                             DimsToString(gear.values));
    }
    if (gear.output_dims.size() != (has_output_dims ? io.outputs.size() : 0)) {
      return InvalidArgument("gear {} has the dims of {} outputs, expected {}", i,
                             gear.output_dims.size(), has_output_dims ? io.outputs.size() : 0);
    }
    for (const Dims& dims : gear.output_dims) {
      if (dims.size() > kMostDims || std::ranges::any_of(dims, [](int64_t d) { return d < 0; })) {
        return InvalidArgument("gear {} has output dims {}, expected at most {} sizes", i,
                               DimsToString(dims), kMostDims);
      }
    }
  }
  return absl::OkStatus();
}

// Bytes of each tensor at the gear where it is largest; nullopt where a dim or the type's size is
// unknown or the bytes do not fit 64 bits.
std::vector<std::optional<uint64_t>> LargestInputBytes(const ModelIo& io) {
  std::vector<std::optional<uint64_t>> bytes(io.inputs.size());
  const auto consider = [&](std::span<const int64_t> values) {
    const std::vector<Dims> dims = FillDims(io.inputs, io.gear_kind, values);
    for (size_t i = 0; i < dims.size(); ++i) {
      // An empty optional is less than any value.
      bytes[i] = std::max(bytes[i], AclTensorBytes(io.inputs[i].acl_data_type, dims[i]));
    }
  };
  if (io.gears.empty()) {
    consider({});
  }
  for (const GearDescription& gear : io.gears) {
    consider(gear.values);
  }
  return bytes;
}

std::vector<std::optional<uint64_t>> LargestOutputBytes(const ModelIo& io) {
  std::vector<std::optional<uint64_t>> bytes(io.outputs.size());
  for (size_t i = 0; i < io.outputs.size(); ++i) {
    const IoDescription& output = io.outputs[i];
    bytes[i] = AclTensorBytes(output.acl_data_type, output.dims);
    for (const GearDescription& gear : io.gears) {
      if (!gear.output_dims.empty()) {
        bytes[i] = std::max(bytes[i], AclTensorBytes(output.acl_data_type, gear.output_dims[i]));
      }
    }
  }
  return bytes;
}

// A dim of -1 has any range, a fixed one the range that is it alone.
absl::Status CheckDynamicInput(const IoDescription& input) {
  const auto fits = [](int64_t dim, const DimRange& range) {
    return dim == -1 || range == DimRange{.least = dim, .most = dim};
  };
  if (input.dim_ranges.size() != input.dims.size() ||
      !std::ranges::equal(input.dims, input.dim_ranges, fits)) {
    return InvalidArgument(
        "input '{}' has dims {} without gears, and no ranges that say what each dim may be",
        input.name, DimsToString(input.dims));
  }
  return absl::OkStatus();
}

// `open`: whether a -1 may stand for a size that an execution decides.
absl::Status CheckExactSizes(std::span<const IoDescription> tensors,
                             std::span<const std::optional<uint64_t>> bytes, bool open,
                             std::string_view kind) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    const IoDescription& tensor = tensors[i];
    if (open && DynamicDims(tensor) > 0) {
      if (tensor.size_bytes != 0) {
        return InvalidArgument("{} '{}' says {} bytes, but its dims {} leave the size open", kind,
                               tensor.name, tensor.size_bytes, DimsToString(tensor.dims));
      }
      continue;
    }
    if (!bytes[i].has_value() || *bytes[i] != tensor.size_bytes) {
      return InvalidArgument("{} '{}' says {} bytes, but {} {} at the largest gear take {}", kind,
                             tensor.name, tensor.size_bytes, AclTypeName(tensor.acl_data_type),
                             DimsToString(tensor.dims),
                             bytes[i].has_value() ? fmt::format("{}", *bytes[i]) : "no known size");
    }
  }
  return absl::OkStatus();
}

struct GearAndOutput {
  size_t gear;
  size_t output;
  Dims dims;
};

// "1,0,8,26" is gear 1, output 0, dims [8,26].
std::optional<GearAndOutput> ParseOutputDimsText(std::string_view text) {
  Dims numbers;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (true) {
    int64_t number = 0;
    const auto [next, error] = std::from_chars(at, end, number);
    if (error != std::errc() || number < 0) {
      return std::nullopt;
    }
    numbers.push_back(number);
    if (next == end) {
      break;
    }
    if (*next != ',') {
      return std::nullopt;
    }
    at = next + 1;
  }
  if (numbers.size() < 2) {
    return std::nullopt;
  }
  return GearAndOutput{.gear = static_cast<size_t>(numbers[0]),
                       .output = static_cast<size_t>(numbers[1]),
                       .dims = Dims(numbers.begin() + 2, numbers.end())};
}

}  // namespace

std::string_view GearKindName(GearKind kind) {
  switch (kind) {
    case GearKind::kNone:
      return "none";
    case GearKind::kBatch:
      return "batch";
    case GearKind::kImage:
      return "image";
    case GearKind::kDims:
      return "dims";
  }
  return "unknown";
}

std::vector<Dims> FillDims(std::span<const IoDescription> inputs, GearKind kind,
                           std::span<const int64_t> values) {
  std::vector<Dims> filled;
  filled.reserve(inputs.size());
  size_t next = 0;
  for (const IoDescription& input : inputs) {
    Dims dims = input.dims;
    if (kind == GearKind::kBatch || kind == GearKind::kImage) {
      next = 0;  // The same values for every input.
    }
    for (int64_t& dim : dims) {
      if (dim == -1 && !values.empty()) {
        dim = values[kind == GearKind::kBatch ? 0 : next++];
      }
    }
    filled.push_back(std::move(dims));
  }
  return filled;
}

absl::Status OrderGearValues(std::span<const std::string> names, ModelIo& io) {
  if (io.gear_kind != GearKind::kDims || names.empty()) {
    return absl::OkStatus();
  }
  // Where the values of each named input begin.
  std::map<std::string_view, size_t> begins;
  size_t next = 0;
  for (const std::string& name : names) {
    const auto input = std::ranges::find(io.inputs, name, &IoDescription::name);
    if (input != io.inputs.end() && begins.emplace(name, next).second) {
      next += DynamicDims(*input);
    }
  }
  std::vector<size_t> from;  // For each value in the inputs' order, its place in the file's.
  for (const IoDescription& input : io.inputs) {
    const size_t count = DynamicDims(input);
    const auto begin = begins.find(input.name);
    if (begin == begins.end() && count > 0) {
      return InvalidArgument(
          "the order of the gears' values does not name input '{}', whose dims "
          "are {}",
          PrintableText(input.name), DimsToString(input.dims));
    }
    for (size_t i = 0; i < count; ++i) {
      from.push_back(begin->second + i);
    }
  }
  for (GearDescription& gear : io.gears) {
    if (gear.values.size() != from.size()) {
      continue;  // CheckModelIo says so.
    }
    Dims ordered;
    for (const size_t at : from) {
      ordered.push_back(gear.values[at]);
    }
    gear.values = std::move(ordered);
  }
  return absl::OkStatus();
}

IoDescription GearTensor(const ModelIo& io) {
  const auto count = static_cast<int64_t>(io.gears.front().values.size());
  return IoDescription{.name = kGearTensorName,
                       .acl_data_type = kAclInt32,
                       .acl_format = kAclFormatNd,
                       .dims = {count},
                       .size_bytes = static_cast<uint64_t>(count) * sizeof(int32_t)};
}

absl::Status CheckModelIo(const ModelIo& io) {
  if (io.outputs.empty()) {
    return InvalidArgument("the model has no outputs, expected at least one");
  }
  RETURN_IF_ERROR(CheckTensors(io.inputs, "input"));
  RETURN_IF_ERROR(CheckTensors(io.outputs, "output"));
  return CheckGears(io);
}

void ResolveSizes(ModelIo& io) {
  const std::vector<std::optional<uint64_t>> input_bytes = LargestInputBytes(io);
  for (size_t i = 0; i < io.inputs.size(); ++i) {
    uint64_t& size_bytes = io.inputs[i].size_bytes;
    if (io.gear_kind != GearKind::kNone || size_bytes == 0) {
      size_bytes = std::max(size_bytes, input_bytes[i].value_or(0));
    }
  }
  const std::vector<std::optional<uint64_t>> output_bytes = LargestOutputBytes(io);
  for (size_t i = 0; i < io.outputs.size(); ++i) {
    io.outputs[i].size_bytes = output_bytes[i].value_or(io.outputs[i].size_bytes);
  }
}

absl::Status CheckHostSizes(const ModelIo& io) {
  bool is_dynamic = false;
  for (const IoDescription& input : io.inputs) {
    if (io.gears.empty() && DynamicDims(input) > 0) {
      RETURN_IF_ERROR(CheckDynamicInput(input));
      is_dynamic = true;
    }
  }
  RETURN_IF_ERROR(CheckExactSizes(io.inputs, LargestInputBytes(io), is_dynamic, "input"));
  RETURN_IF_ERROR(CheckExactSizes(io.outputs, LargestOutputBytes(io), is_dynamic, "output"));
  if (!io.gears.empty() && io.gears.front().output_dims.empty()) {
    return InvalidArgument("the gears do not say the dims of the outputs, which the host needs");
  }
  return absl::OkStatus();
}

std::vector<std::string> FormatOutputDims(std::span<const GearDescription> gears) {
  std::vector<std::string> texts;
  for (size_t gear = 0; gear < gears.size(); ++gear) {
    for (size_t output = 0; output < gears[gear].output_dims.size(); ++output) {
      std::string text = fmt::format("{},{}", gear, output);
      for (const int64_t dim : gears[gear].output_dims[output]) {
        text += fmt::format(",{}", dim);
      }
      texts.push_back(std::move(text));
    }
  }
  return texts;
}

absl::Status ParseOutputDims(std::span<const std::string> texts, size_t output_count,
                             std::vector<GearDescription>& gears) {
  if (texts.empty()) {
    return absl::OkStatus();
  }
  // A text for each gear and output, no more and no fewer: then "none twice" means "none missing".
  if (texts.size() != gears.size() * output_count) {
    return InvalidArgument("{} texts of output dims, expected {} ({} gears of {} outputs)",
                           texts.size(), gears.size() * output_count, gears.size(), output_count);
  }
  std::vector<std::vector<std::optional<Dims>>> found(
      gears.size(), std::vector<std::optional<Dims>>(output_count));
  for (const std::string& text : texts) {
    std::optional<GearAndOutput> parsed = ParseOutputDimsText(text);
    if (!parsed.has_value() || parsed->gear >= gears.size() || parsed->output >= output_count) {
      return InvalidArgument(
          "output dims '{}', expected 'gear,output,dims..' with a gear below {} and an output "
          "below {}",
          PrintableText(text), gears.size(), output_count);
    }
    std::optional<Dims>& slot = found[parsed->gear][parsed->output];
    if (slot.has_value()) {
      return InvalidArgument("output dims '{}' are the second ones of gear {} and output {}", text,
                             parsed->gear, parsed->output);
    }
    slot = std::move(parsed->dims);
  }
  for (size_t gear = 0; gear < gears.size(); ++gear) {
    gears[gear].output_dims.clear();
    for (std::optional<Dims>& dims : found[gear]) {
      gears[gear].output_dims.push_back(std::move(dims).value_or(Dims()));
    }
  }
  return absl::OkStatus();
}

}  // namespace omserve::om
