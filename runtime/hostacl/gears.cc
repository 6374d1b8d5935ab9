// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/gears.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "runtime/base/tensor.h"
#include "runtime/hostacl/acl_status.h"

namespace omserve::hostacl {
namespace {

std::string Plain(std::span<const int64_t> values) {
  return fmt::format("{}", fmt::join(values.begin(), values.end(), ","));
}

// "no gears; it was compiled for batch 2: x [2,3]", the batch where all inputs share dim 0.
std::string DescribeOneSize(const om::ModelDescription& model) {
  if (om::HasDynamicShape(model)) {
    return fmt::format(
        "no gears but a dynamic shape, {}, whose dims aclmdlSetDatasetTensorDesc gives",
        om::ShowRanges(model));
  }
  constexpr size_t kShownInputs = 16;
  std::vector<std::string> shown;
  std::optional<int64_t> batch;
  bool shared = true;
  for (const om::IoDescription& input : model.inputs) {
    if (shown.size() == kShownInputs) {
      shown.back() = "...";
    } else {
      shown.push_back(input.name + " " + DimsToString(input.dims));
    }
    shared = shared && !input.dims.empty() && input.dims[0] >= 0 &&
             batch.value_or(input.dims[0]) == input.dims[0];
    batch = input.dims.empty() ? int64_t{0} : input.dims[0];
  }
  if (shown.empty()) {
    return "no gears";
  }
  return fmt::format("no gears; it was compiled for {}{}",
                     shared ? fmt::format("batch {}: ", *batch) : std::string(),
                     fmt::join(shown, ", "));
}

// Elements of all inputs together; saturates.
int64_t TotalElements(const om::ModelDescription& model, size_t gear) {
  int64_t total = 0;
  for (const std::vector<int64_t>& dims : om::InputDimsAtGear(model, gear)) {
    const std::optional<int64_t> count = ElementCount(dims);
    if (!count.has_value() || *count > std::numeric_limits<int64_t>::max() - total) {
      return std::numeric_limits<int64_t>::max();
    }
    total += *count;
  }
  return total;
}

template <typename Integer>
std::vector<std::byte> Encode(std::span<const int64_t> values) {
  std::vector<std::byte> bytes(values.size() * sizeof(Integer));
  for (size_t i = 0; i < values.size(); ++i) {
    const auto value = static_cast<Integer>(values[i]);
    std::memcpy(bytes.data() + i * sizeof(Integer), &value, sizeof(Integer));
  }
  return bytes;
}

template <typename Integer>
std::vector<int64_t> Decode(std::span<const std::byte> bytes, size_t count) {
  std::vector<int64_t> values(count);
  for (size_t i = 0; i < count; ++i) {
    Integer value = 0;
    std::memcpy(&value, bytes.data() + i * sizeof(Integer), sizeof(Integer));
    values[i] = static_cast<int64_t>(value);
  }
  return values;
}

}  // namespace

size_t GearValueCount(const om::ModelDescription& model) {
  return model.gears.empty() ? 0 : model.gears.front().values.size();
}

std::optional<size_t> FindGear(const om::ModelDescription& model, std::span<const int64_t> values) {
  const auto same = [values](const om::GearDescription& gear) {
    return std::equal(gear.values.begin(), gear.values.end(), values.begin(), values.end());
  };
  const auto found = std::find_if(model.gears.begin(), model.gears.end(), same);
  if (found == model.gears.end()) {
    return std::nullopt;
  }
  return static_cast<size_t>(found - model.gears.begin());
}

size_t LargestGear(const om::ModelDescription& model) {
  size_t largest = 0;
  for (size_t gear = 1; gear < model.gears.size(); ++gear) {
    if (TotalElements(model, gear) > TotalElements(model, largest)) {
      largest = gear;
    }
  }
  return largest;
}

std::string DescribeGears(const om::ModelDescription& model) {
  const char* kind = "";
  const char* separator = "; ";
  switch (model.gear_kind) {
    case om::GearKind::kNone:
      return DescribeOneSize(model);
    case om::GearKind::kBatch:
      kind = "batch gears ";
      separator = ", ";
      break;
    case om::GearKind::kImage:
      kind = "image gears (height,width) ";
      break;
    case om::GearKind::kDims:
      kind = "dims gears ";
      break;
  }
  std::string text = kind;
  for (size_t i = 0; i < model.gears.size(); ++i) {
    text += (i == 0 ? "" : separator) + Plain(model.gears[i].values);
  }
  return text;
}

std::vector<int64_t> JoinedInputDims(const om::ModelDescription& model, size_t gear) {
  std::vector<int64_t> joined;
  for (const std::vector<int64_t>& dims : om::InputDimsAtGear(model, gear)) {
    joined.insert(joined.end(), dims.begin(), dims.end());
  }
  return joined;
}

absl::StatusOr<size_t> FindGearByDims(const om::ModelDescription& model,
                                      std::span<const int64_t> joined) {
  const size_t expected = JoinedInputDims(model, 0).size();
  if (joined.size() != expected) {
    return Fail(ACL_ERROR_INVALID_PARAM,
                "model '{}': {} dims were given, all inputs together have {}; it has {}",
                model.name, joined.size(), expected, DescribeGears(model));
  }
  for (size_t gear = 0; gear < model.gears.size(); ++gear) {
    const std::vector<int64_t> dims = JoinedInputDims(model, gear);
    if (std::equal(dims.begin(), dims.end(), joined.begin(), joined.end())) {
      return gear;
    }
  }
  return Fail(ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID,
              "model '{}': dims {} are none of its gears; it has {}", model.name,
              DimsToString(joined), DescribeGears(model));
}

absl::StatusOr<std::vector<std::byte>> EncodeGear(std::span<const int64_t> values,
                                                  size_t buffer_bytes) {
  if (buffer_bytes >= values.size() * sizeof(uint64_t)) {
    return Encode<uint64_t>(values);
  }
  if (buffer_bytes < values.size() * sizeof(uint32_t)) {
    return Fail(ACL_ERROR_GE_DYNAMIC_INPUT_LENGTH_INVALID,
                "the buffer of '{}' has {} bytes, {} values need at least {}", om::kGearTensorName,
                buffer_bytes, values.size(), values.size() * sizeof(uint32_t));
  }
  return Encode<uint32_t>(values);
}

std::vector<int64_t> DecodeGear(std::span<const std::byte> bytes, size_t count) {
  return bytes.size() >= count * sizeof(uint64_t) ? Decode<uint64_t>(bytes, count)
                                                  : Decode<uint32_t>(bytes, count);
}

}  // namespace omserve::hostacl
