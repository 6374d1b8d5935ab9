// SPDX-License-Identifier: Apache-2.0
// Small `.om` files for the CPU device, made in memory, with answers that a test can compute.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/om/model_description.h"

namespace omserve::testing {

// The weight of ScaleAddModel, which stands in WEIGHTS_DATA.
inline constexpr float kScale = 2.5F;

// Inputs x, y and outputs scaled = kScale * x, summed = scaled + y, all FP32 of one shape: `dims`,
// with -1 where a gear decides, or without gears, as a dynamic shape, the caller within 1 to 8. The
// output names are "mul:0:scaled" and "add:0:summed". `gears` are values as in om::GearDescription
// and stand in the file in the order given.
std::string ScaleAddModel(std::vector<int64_t> dims, om::GearKind kind,
                          const std::vector<std::vector<int64_t>>& gears);

// Input "index" INT64 [1], output "picked" FP32 [1] of the four numbers 10, 11, 12, 13. Another
// index than -4..3 fails when it is executed. Has no weights in WEIGHTS_DATA.
std::string PickModel();

// A model that keeps state: total = state + x and twice = 2 * total, FP32 [batch, width], and what
// it was told: marks = FP32 [batch, 3] of start, ready and end, FP32 [batch, 1] each, and
// id = INT64 [batch, 1] of corrid. Inputs in the order x, state, start, ready, end, corrid; outputs
// total, twice, marks, id. With `batches` of one entry there are no gears.
std::string AccumulateModel(int64_t width, const std::vector<int64_t>& batches);

// `file` with its chip name replaced by one of the same length.
std::string ForOtherChip(std::string file, std::string_view soc_version);

std::span<const std::byte> BytesOf(std::string_view text);

}  // namespace omserve::testing
