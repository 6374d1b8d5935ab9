// SPDX-License-Identifier: Apache-2.0
// The gears of a model as the C interface deals with them: pure functions over the description.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/om/model_description.h"

namespace omserve::hostacl {

// Values that one gear has: 1 batch, 2 height and width, else one per -1. 0 without gears.
size_t GearValueCount(const om::ModelDescription& model);
// Position of the gear with exactly these values.
std::optional<size_t> FindGear(const om::ModelDescription& model, std::span<const int64_t> values);
// Position of the gear whose tensors are largest; 0 without gears.
size_t LargestGear(const om::ModelDescription& model);
// "batch gears 1, 2, 4", "no gears; it was compiled for batch 2: x [2,3]": what a caller who asked
// for a wrong one needs.
std::string DescribeGears(const om::ModelDescription& model);

// All inputs' dims at `gear`, one after the other.
std::vector<int64_t> JoinedInputDims(const om::ModelDescription& model, size_t gear);
// Position of the gear with these joined dims. Errors: ACL_ERROR_INVALID_PARAM for a wrong number
// of dims, ACL_ERROR_GE_DYNAMIC_BATCH_SIZE_INVALID, both naming the gears that there are.
absl::StatusOr<size_t> FindGearByDims(const om::ModelDescription& model,
                                      std::span<const int64_t> joined);

// The values as they stand in the reserved input: uint64 each when the buffer has room, else
// uint32. ACL_ERROR_GE_DYNAMIC_INPUT_LENGTH_INVALID when not even those fit.
absl::StatusOr<std::vector<std::byte>> EncodeGear(std::span<const int64_t> values,
                                                  size_t buffer_bytes);
// Likewise backwards. Requires bytes.size() >= 4 * count.
std::vector<int64_t> DecodeGear(std::span<const std::byte> bytes, size_t count);

}  // namespace omserve::hostacl
