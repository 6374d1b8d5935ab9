// SPDX-License-Identifier: Apache-2.0
// Copies between a tensor and one of longer dims that holds it at its front, as rows of text do
// that are padded up to a compiled length.
#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "absl/status/statusor.h"
#include "runtime/base/tensor.h"

namespace omserve::server {

// One element's bytes; the first DataTypeSize(type) count.
using ElementBytes = std::array<std::byte, 8>;
// `value` as an element. Errors: kInvalidArgument when the type cannot hold it exactly, for BYTES,
// and for FP16 and BF16 unless it is 0.
absl::StatusOr<ElementBytes> ToElement(DataType type, double value);

// Writes a tensor of dims `dims`, whose bytes are `pieces` joined, to the front of each dim of a
// tensor of dims `padded`, with `fill` elsewhere. Requires dims <= padded, one by one; `to` of the
// size of `padded`, and pieces of that of `dims`.
struct PadSpec {
  std::span<const int64_t> dims;
  std::span<const int64_t> padded;
  size_t element_bytes = 1;
  ElementBytes fill{};
};
void CopyPadded(const PadSpec& spec, std::span<const std::span<const std::byte>> pieces,
                std::span<std::byte> to);

// The other way: takes the tensor out again. Whether it lies in one piece is told by IsPrefix.
void CopyCut(const PadSpec& spec, std::span<const std::byte> padded, std::span<std::byte> to);
// True: the first bytes of the padded tensor are the tensor as it is.
bool IsPrefix(std::span<const int64_t> dims, std::span<const int64_t> padded);

}  // namespace omserve::server
