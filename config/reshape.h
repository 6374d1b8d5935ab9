// SPDX-License-Identifier: Apache-2.0
// input.reshape and output.reshape: clients see a tensor with other dims than the model has. Its
// bytes are the same, so only names of sizes change.
//
// Source: Triton's rules. Elements are as many on both sides; each -1 of one side is the -1 of the
// other that comes as many -1 after the front, with as many elements before it and behind it.
#pragma once

#include <span>
#include <string>

#include "runtime/base/tensor.h"

namespace omserve::config {

// Why a tensor of `dims` is none of `shape`; empty when it is. Requires dims of 1 or more, or -1.
std::string ReshapeError(std::span<const int64_t> dims, std::span<const int64_t> shape);

// `to` with each -1 as long as `sizes` has it where `from` has its -1. Requires that ReshapeError
// has nothing to say of `from` and `to`, and `sizes` of the rank of `from`.
Dims WithOpenSizes(std::span<const int64_t> to, std::span<const int64_t> from,
                   std::span<const int64_t> sizes);

}  // namespace omserve::config
