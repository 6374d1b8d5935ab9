// SPDX-License-Identifier: Apache-2.0
// How much of one block of device memory a piece of it takes.
#pragma once

#include <cstddef>

namespace omserve {

// Pieces start at multiples of this.
inline constexpr size_t kDevicePieceAlignment = 64;

// AscendCL's rule for pieces of one block: the length rounded up to 32, and 32 more, because
// operators may read and write past the end by that much; each piece starts at 64. Requires that
// size_bytes is far from the largest size_t.
constexpr size_t DevicePieceBytes(size_t size_bytes) {
  constexpr size_t kRound = 32;
  constexpr size_t kTail = 32;
  const auto up = [](size_t value, size_t unit) { return (value + unit - 1) / unit * unit; };
  return up(up(size_bytes, kRound) + kTail, kDevicePieceAlignment);
}

}  // namespace omserve
