// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/gears.h"

#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"

namespace omserve::acl {
namespace {

constexpr int64_t kFromGear = -1;

// The values that replace the -1 of one input, in order.
absl::StatusOr<Dims> Replace(const ModelTensor& input, std::span<const int64_t> values,
                             size_t expected_count) {
  Dims dims = input.dims;
  const auto count = static_cast<size_t>(std::count(dims.begin(), dims.end(), kFromGear));
  if (count != 0 && expected_count != 0 && count != expected_count) {
    return InvalidArgument(
        "input '{}' has dims {}: expected {} open dims for a model with gears "
        "of height and width; compile it again",
        input.name, DimsToString(input.dims), expected_count);
  }
  size_t next = 0;
  for (int64_t& dim : dims) {
    if (dim == kFromGear) {
      dim = values[std::min(next, values.size() - 1)];
      ++next;
    }
  }
  return dims;
}

absl::StatusOr<std::vector<Dims>> Split(std::span<const ModelTensor> inputs,
                                        std::span<const int64_t> values) {
  std::vector<Dims> result;
  size_t at = 0;
  for (const ModelTensor& input : inputs) {
    const size_t rank = input.dims.size();
    if (rank > values.size() - at) {
      return InvalidArgument(
          "a gear has {} dims: input '{}' needs dims {} to {} of it; compile the "
          "model again",
          values.size(), input.name, at, at + rank);
    }
    const std::span<const int64_t> part = values.subspan(at, rank);
    for (size_t i = 0; i < rank; ++i) {
      if (input.dims[i] != kFromGear && input.dims[i] != part[i]) {
        return InvalidArgument(
            "input '{}' has dims {}, but a gear says {}; compile the model again", input.name,
            DimsToString(input.dims), DimsToString(part));
      }
    }
    result.emplace_back(part.begin(), part.end());
    at += rank;
  }
  if (at != values.size()) {
    return InvalidArgument(
        "a gear has {} dims, the inputs have {} together; compile the model again", values.size(),
        at);
  }
  return result;
}

// Doubles, because the product of many dims may pass 64 bits, and order is all that is asked.
double Product(const Gear& gear) {
  double product = 1;
  for (const Dims& dims : gear.input_dims) {
    for (const int64_t dim : dims) {
      product *= static_cast<double>(dim);
    }
  }
  return product;
}

}  // namespace

absl::StatusOr<Gear> MakeGear(GearKind kind, std::span<const ModelTensor> inputs,
                              std::vector<int64_t> values) {
  for (const int64_t value : values) {
    if (value <= 0) {
      return InvalidArgument("a gear has the size {}: expected 1 or more; compile the model again",
                             value);
    }
  }
  Gear gear;
  if (kind == GearKind::kDims) {
    ASSIGN_OR_RETURN(gear.input_dims, Split(inputs, values));
  } else {
    const size_t expected_count = kind == GearKind::kImage ? values.size() : 0;
    for (const ModelTensor& input : inputs) {
      if (kind == GearKind::kNone &&
          std::find(input.dims.begin(), input.dims.end(), kFromGear) != input.dims.end()) {
        return InvalidArgument(
            "input '{}' has dims {} and the model has no gears: sizes that are open without gears "
            "are not served; compile it with ATC's --dynamic_batch_size or --dynamic_dims",
            input.name, DimsToString(input.dims));
      }
      ASSIGN_OR_RETURN(Dims dims, Replace(input, values, expected_count));
      gear.input_dims.push_back(std::move(dims));
    }
  }
  for (size_t i = 0; i < inputs.size(); ++i) {
    if (!TensorBytes(inputs[i].type, gear.input_dims[i]).has_value()) {
      return InvalidArgument(
          "input '{}' has dims {}: expected sizes of 0 or more whose product fits "
          "64 bits; compile the model again",
          inputs[i].name, DimsToString(gear.input_dims[i]));
    }
  }
  gear.values = std::move(values);
  return gear;
}

void SortGears(std::vector<Gear>& gears) {
  std::sort(gears.begin(), gears.end(), [](const Gear& a, const Gear& b) {
    const double product_a = Product(a);
    const double product_b = Product(b);
    return product_a != product_b ? product_a < product_b : a.input_dims < b.input_dims;
  });
}

}  // namespace omserve::acl
