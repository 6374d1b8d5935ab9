// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/gear_plan.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/split.h"

namespace omserve::omc {
namespace {

std::string_view Trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') {
    text.remove_prefix(1);
  }
  while (!text.empty() && text.back() == ' ') {
    text.remove_suffix(1);
  }
  return text;
}

// "1,2,4"; nullopt when a part is not a whole number. Empty text is no numbers.
std::optional<std::vector<int64_t>> ParseNumbers(std::string_view text) {
  std::vector<int64_t> numbers;
  if (Trim(text).empty()) {
    return numbers;
  }
  for (std::string_view part : Split(text, ',')) {
    part = Trim(part);
    int64_t number = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), number);
    if (part.empty() || error != std::errc() || end != part.data() + part.size()) {
      return std::nullopt;
    }
    numbers.push_back(number);
  }
  return numbers;
}

std::string ShowInputs(std::span<const OnnxTensor> inputs) {
  std::string text;
  for (const OnnxTensor& input : inputs) {
    text += (text.empty() ? "" : ", ") + ShowTensor(input);
  }
  return text.empty() ? "none" : text;
}

absl::Status ApplyShape(const OnnxTensor& input, const Dims& wanted, Dims& dims) {
  if (wanted.size() != dims.size()) {
    return InvalidArgument("--input-shape: input '{}' has {} dims ({}), but {} are given: {}",
                           input.name, dims.size(), ShowTensor(input), wanted.size(),
                           DimsToString(wanted));
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    if (wanted[i] != -1 && wanted[i] < 1) {
      return InvalidArgument(
          "--input-shape: dim {} of input '{}' is {}, expected a size of at least 1, or -1 to "
          "leave it to the gears",
          i, input.name, wanted[i]);
    }
    if (dims[i] != -1 && wanted[i] != dims[i]) {
      return InvalidArgument(
          "--input-shape: dim {} of input '{}' is {}, but the model fixes it to {}: give that", i,
          input.name, wanted[i], dims[i]);
    }
    dims[i] = wanted[i];
  }
  return absl::OkStatus();
}

struct ShapePart {
  size_t index;           // Of the input.
  std::string_view dims;  // "-1,3,8,8"
};

// "NAME:DIMS;NAME:DIMS", each of an input of the model and none twice; `example` is of one part.
absl::StatusOr<std::vector<ShapePart>> SplitShapes(std::span<const OnnxTensor> inputs,
                                                   std::string_view flag, std::string_view text,
                                                   std::string_view example) {
  std::vector<ShapePart> parts;
  std::set<size_t> seen;
  for (const std::string_view part : Split(text, ';')) {
    // The last colon: names may hold some themselves.
    const size_t colon = part.rfind(':');
    if (colon == std::string_view::npos) {
      return InvalidArgument("{}: '{}', expected NAME:DIM,DIM,.. as in '{}'", flag, part, example);
    }
    const std::string_view name = Trim(part.substr(0, colon));
    const auto input = std::ranges::find(inputs, name, &OnnxTensor::name);
    if (input == inputs.end()) {
      return InvalidArgument("{}: the model has no input '{}'; it has {}", flag, name,
                             ShowInputs(inputs));
    }
    const auto index = static_cast<size_t>(input - inputs.begin());
    if (!seen.insert(index).second) {
      return InvalidArgument("{}: input '{}' is given twice", flag, name);
    }
    parts.push_back({.index = index, .dims = part.substr(colon + 1)});
  }
  return parts;
}

absl::Status ApplyShapes(std::span<const OnnxTensor> inputs, std::string_view flag,
                         std::vector<Dims>& dims) {
  if (flag.empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::vector<ShapePart> parts,
                   SplitShapes(inputs, "--input-shape", flag, "image:-1,3,8,8"));
  for (const ShapePart& part : parts) {
    const auto wanted = ParseNumbers(part.dims);
    if (!wanted.has_value()) {
      return InvalidArgument(
          "--input-shape: '{}:{}', expected NAME:DIM,DIM,.. as in 'image:-1,3,8,8'",
          inputs[part.index].name, part.dims);
    }
    RETURN_IF_ERROR(ApplyShape(inputs[part.index], *wanted, dims[part.index]));
  }
  return absl::OkStatus();
}

// "8", "1~8" or "-1".
std::optional<om::DimRange> ParseRange(std::string_view text) {
  std::vector<int64_t> ends;
  for (const std::string_view end : Split(text, '~')) {
    const auto numbers = ParseNumbers(end);
    if (!numbers.has_value() || numbers->size() != 1) {
      return std::nullopt;
    }
    ends.push_back(numbers->front());
  }
  if (ends == std::vector<int64_t>{-1}) {
    return om::DimRange{.least = 1, .most = -1};
  }
  if (ends.size() > 2 || ends.front() < 1 || ends.back() < ends.front()) {
    return std::nullopt;
  }
  return om::DimRange{.least = ends.front(), .most = ends.back()};
}

absl::Status ApplyRanges(const OnnxTensor& input, std::string_view text, Dims& dims,
                         std::vector<om::DimRange>& ranges) {
  ranges.clear();
  for (const std::string_view part : Split(text, ',')) {
    const std::optional<om::DimRange> range = ParseRange(part);
    if (!range.has_value()) {
      return InvalidArgument(
          "--dynamic-shape: '{}' of input '{}', expected a size, a range of sizes as in '1~8', or "
          "-1 for any size",
          part, input.name);
    }
    ranges.push_back(*range);
  }
  if (ranges.size() != dims.size()) {
    return InvalidArgument("--dynamic-shape: input '{}' has {} dims ({}), but {} are given: {}",
                           input.name, dims.size(), ShowTensor(input), ranges.size(), text);
  }
  for (size_t i = 0; i < dims.size(); ++i) {
    const bool is_one = ranges[i].least == ranges[i].most;
    if (dims[i] != -1 && (!is_one || ranges[i].least != dims[i])) {
      return InvalidArgument(
          "--dynamic-shape: dim {} of input '{}' is '{}', but the model fixes it to {}: give that",
          i, input.name, Split(text, ',')[i], dims[i]);
    }
    dims[i] = is_one ? ranges[i].least : -1;
  }
  return absl::OkStatus();
}

// "dim 0 (N) of 'image', dim 1 (L) of 'ids'": every -1, in the order of the gears' values.
std::string ShowDynamicDims(std::span<const OnnxTensor> inputs, std::span<const Dims> dims,
                            size_t first_dim = 0) {
  std::string text;
  for (size_t i = 0; i < inputs.size(); ++i) {
    for (size_t d = first_dim; d < dims[i].size(); ++d) {
      if (dims[i][d] == -1) {
        const std::string& name = inputs[i].dim_names[d];
        text += fmt::format("{}dim {}{} of '{}'", text.empty() ? "" : ", ", d,
                            name.empty() ? "" : " (" + name + ")", inputs[i].name);
      }
    }
  }
  return text;
}

size_t CountDynamicDims(std::span<const Dims> dims) {
  size_t count = 0;
  for (const Dims& tensor : dims) {
    count += static_cast<size_t>(std::ranges::count(tensor, int64_t{-1}));
  }
  return count;
}

// Ascending, and each once: the same set of gears is always the same file.
absl::Status SortGears(std::string_view flag, std::vector<std::vector<int64_t>>& gears) {
  if (gears.size() > kMostGearFlags) {
    return InvalidArgument("{}: {} gears, at most {} are possible", flag, gears.size(),
                           kMostGearFlags);
  }
  for (const std::vector<int64_t>& gear : gears) {
    if (std::ranges::any_of(gear, [](int64_t value) { return value < 1; })) {
      return InvalidArgument("{}: gear {} has a value below 1, expected sizes", flag,
                             DimsToString(gear));
    }
  }
  std::ranges::sort(gears);
  const auto twice = std::ranges::adjacent_find(gears);
  if (twice != gears.end()) {
    return InvalidArgument("{}: gear {} is given twice, give each once", flag,
                           DimsToString(*twice));
  }
  return absl::OkStatus();
}

absl::Status PlanBatch(std::span<const OnnxTensor> inputs, std::string_view flag, GearPlan& plan) {
  plan.kind = om::GearKind::kBatch;
  const auto batches = ParseNumbers(flag);
  if (!batches.has_value()) {
    return InvalidArgument("--batch-gears: '{}', expected batch sizes as in '1,2,4,8'", flag);
  }
  for (const int64_t batch : *batches) {
    plan.gears.push_back({batch});
  }
  RETURN_IF_ERROR(SortGears("--batch-gears", plan.gears));
  const std::string others = ShowDynamicDims(inputs, plan.input_dims, 1);
  if (!others.empty()) {
    return InvalidArgument(
        "--batch-gears set dim 0 only, but other dims have no size: {}: fix them with "
        "--input-shape, "
        "or use --dims-gears for all open dims",
        others);
  }
  if (CountDynamicDims(plan.input_dims) == 0) {
    return InvalidArgument(
        "--batch-gears: no input has an open dim 0; the inputs are {}: export the model with a "
        "dynamic batch, or leave the flag out",
        ShowInputs(inputs));
  }
  return absl::OkStatus();
}

absl::Status PlanDims(std::span<const OnnxTensor> inputs, std::string_view flag, GearPlan& plan) {
  plan.kind = om::GearKind::kDims;
  const size_t expected = CountDynamicDims(plan.input_dims);
  if (expected == 0) {
    return InvalidArgument("--dims-gears: no input has an open dim; the inputs are {}",
                           ShowInputs(inputs));
  }
  for (const std::string_view part : Split(flag, ';')) {
    auto values = ParseNumbers(part);
    if (!values.has_value() || values->size() != expected) {
      return InvalidArgument(
          "--dims-gears: gear '{}', expected {} numbers with commas between them, one each for {}",
          part, expected, ShowDynamicDims(inputs, plan.input_dims));
    }
    plan.gears.push_back(*std::move(values));
  }
  return SortGears("--dims-gears", plan.gears);
}

// A name stands for one size wherever it occurs, so that two ranges for it would promise sizes that
// do not run.
absl::Status CheckNamedRanges(std::span<const OnnxTensor> inputs, const GearPlan& plan) {
  std::map<std::string_view, std::pair<om::DimRange, std::string_view>> seen;
  for (size_t i = 0; i < inputs.size(); ++i) {
    for (size_t d = 0; d < plan.ranges[i].size(); ++d) {
      const std::string& name = inputs[i].dim_names[d];
      if (name.empty()) {
        continue;
      }
      const auto [first, is_new] =
          seen.try_emplace(name, std::pair(plan.ranges[i][d], std::string_view(inputs[i].name)));
      if (!is_new && first->second.first != plan.ranges[i][d]) {
        return InvalidArgument(
            "--dynamic-shape: dim {} has one range for input '{}' and another for input '{}'; the "
            "model has one size for all dims of that name",
            name, first->second.second, inputs[i].name);
      }
    }
  }
  return absl::OkStatus();
}

absl::Status PlanDynamic(std::span<const OnnxTensor> inputs, std::string_view flag,
                         GearPlan& plan) {
  for (const Dims& dims : plan.input_dims) {
    plan.ranges.emplace_back();
    for (const int64_t dim : dims) {
      plan.ranges.back().push_back({.least = dim, .most = dim});
    }
  }
  const std::vector<Dims> open_dims = plan.input_dims;
  ASSIGN_OR_RETURN(const std::vector<ShapePart> parts,
                   SplitShapes(inputs, "--dynamic-shape", flag, "image:1~8,3,-1,-1"));
  std::set<size_t> given;
  for (const ShapePart& part : parts) {
    RETURN_IF_ERROR(ApplyRanges(inputs[part.index], part.dims, plan.input_dims[part.index],
                                plan.ranges[part.index]));
    given.insert(part.index);
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!given.contains(i) && CountDynamicDims(std::span(&open_dims[i], 1)) > 0) {
      return InvalidArgument(
          "--dynamic-shape: input {} has dims without a size, and is not given: say what each of "
          "its dims may be",
          ShowTensor(inputs[i]));
    }
  }
  if (CountDynamicDims(plan.input_dims) == 0) {
    return InvalidArgument(
        "--dynamic-shape: '{}' leaves no dim open: give the sizes with --input-shape", flag);
  }
  return CheckNamedRanges(inputs, plan);
}

// A name stands for one size wherever it occurs; ONNX Runtime plans its memory by that.
absl::Status CheckNamedDims(std::span<const OnnxTensor> inputs, const GearPlan& plan,
                            std::span<const int64_t> gear) {
  struct Seen {
    int64_t size;
    std::string_view input;
  };
  std::map<std::string_view, Seen> seen;
  size_t next = 0;
  for (size_t i = 0; i < inputs.size(); ++i) {
    for (size_t d = 0; d < plan.input_dims[i].size(); ++d) {
      int64_t size = plan.input_dims[i][d];
      if (size == -1) {
        size = gear[plan.kind == om::GearKind::kBatch ? 0 : next++];
      }
      const std::string& name = inputs[i].dim_names[d];
      if (name.empty()) {
        continue;
      }
      const auto [first, is_new] = seen.try_emplace(name, Seen{size, inputs[i].name});
      if (!is_new && first->second.size != size) {
        return InvalidArgument(
            "{}: dim {} would be {} for input '{}' but {} for input '{}'; the model has one size "
            "for all dims of that name",
            gear.empty() ? "--input-shape" : "gear " + DimsToString(gear), name, first->second.size,
            first->second.input, size, inputs[i].name);
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string ShowTensor(const OnnxTensor& tensor) {
  std::string text = tensor.name + " [";
  for (size_t i = 0; i < tensor.dims.size(); ++i) {
    const bool named = tensor.dims[i] == -1 && !tensor.dim_names[i].empty();
    text += (i == 0 ? "" : ",") + (named ? tensor.dim_names[i] : std::to_string(tensor.dims[i]));
  }
  return text + "]";
}

absl::StatusOr<GearPlan> PlanGears(std::span<const OnnxTensor> inputs, const GearFlags& flags) {
  if (!flags.batch_gears.empty() && !flags.dims_gears.empty()) {
    return InvalidArgument("--batch-gears and --dims-gears exclude each other: give one of them");
  }
  if (!flags.dynamic_shape.empty() &&
      !(flags.batch_gears + flags.dims_gears + flags.input_shape).empty()) {
    return InvalidArgument(
        "--dynamic-shape stands alone: it excludes gears, and fixes dims itself as in 'x:1~8,3'");
  }
  GearPlan plan;
  for (const OnnxTensor& input : inputs) {
    plan.input_dims.push_back(input.dims);
  }
  if (!flags.dynamic_shape.empty()) {
    RETURN_IF_ERROR(PlanDynamic(inputs, flags.dynamic_shape, plan));
    return plan;
  }
  RETURN_IF_ERROR(ApplyShapes(inputs, flags.input_shape, plan.input_dims));
  if (!flags.batch_gears.empty()) {
    RETURN_IF_ERROR(PlanBatch(inputs, flags.batch_gears, plan));
  } else if (!flags.dims_gears.empty()) {
    RETURN_IF_ERROR(PlanDims(inputs, flags.dims_gears, plan));
  } else if (CountDynamicDims(plan.input_dims) > 0) {
    return InvalidArgument(
        "dims without a size: {}: fix them with --input-shape, or list the sizes to compile for "
        "with --batch-gears (dim 0) or --dims-gears (any dims); --dynamic-shape is for programs "
        "that call AscendCL themselves",
        ShowDynamicDims(inputs, plan.input_dims));
  } else {
    RETURN_IF_ERROR(CheckNamedDims(inputs, plan, {}));
  }
  for (const std::vector<int64_t>& gear : plan.gears) {
    RETURN_IF_ERROR(CheckNamedDims(inputs, plan, gear));
  }
  return plan;
}

}  // namespace omserve::omc
