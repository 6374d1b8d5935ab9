// SPDX-License-Identifier: Apache-2.0
// The sizes that a model was compiled for, from what AscendCL tells of it to full dims per gear.
// Nothing here calls the device: the numbers come from a file and are checked.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/acl/model.h"
#include "runtime/base/tensor.h"

namespace omserve::acl {

// Which setter chooses the gear.
enum class GearKind : uint8_t {
  kNone,   // The model has one size; there is nothing to set.
  kBatch,  // aclmdlSetDynamicBatchSize: one value, which stands for every -1.
  kImage,  // aclmdlSetDynamicHWSize: height and width, for the two -1 of each picture.
  kDims,   // aclmdlSetInputDynamicDims: all dims of all inputs, joined.
};

struct Gear {
  std::vector<int64_t> values;   // For the setter.
  std::vector<Dims> input_dims;  // Full dims, one entry per input.
};

// Full dims of `values` for inputs whose own dims have -1 where the gear decides.
// Errors: kInvalidArgument naming the input, when the values do not fit it.
absl::StatusOr<Gear> MakeGear(GearKind kind, std::span<const ModelTensor> inputs,
                              std::vector<int64_t> values);

// By the product of the input dims, ascending; equal products by the dims themselves, so that the
// order does not depend on the file's.
void SortGears(std::vector<Gear>& gears);

}  // namespace omserve::acl
