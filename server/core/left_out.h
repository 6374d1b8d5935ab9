// SPDX-License-Identifier: Apache-2.0
// Inputs that a request may leave out (input.optional), and what the model reads in their place.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "runtime/base/tensor.h"
#include "scheduler/plan.h"
#include "server/core/length_padding.h"

namespace omserve::server {

// Fills in the row dims of inputs that were left out, those that are nullopt, by input of the plan.
// A dim of any size is as long as those it is padded with (`lengths`), else the smallest that the
// step which reads it was compiled for together with the inputs that are there, else 1.
void FillLeftOutDims(const scheduler::Plan& plan, std::span<const PaddedLength> lengths,
                     std::vector<std::optional<Dims>>& row_dims);

// The bytes of a tensor that was left out: zeros, which in the raw encoding of BYTES are empty
// strings too. nullopt when it is too large. Requires that no dim is -1.
std::optional<size_t> LeftOutBytes(DataType type, std::span<const int64_t> dims);

}  // namespace omserve::server
