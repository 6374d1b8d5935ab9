// SPDX-License-Identifier: Apache-2.0
// Floats as text. Pure.
#pragma once

#include <cstddef>
#include <span>

namespace omserve::server {

// As many as are written at once, at most; and what that can take, bytes that do not count
// included.
inline constexpr size_t kFloatsAtOnce = 64;
inline constexpr size_t kMostFloatBytes = 32;

// Writes each number, which is finite, in the fewest digits that are read back as the same float,
// in the form of fmt's "{}" ("0.5", "16777216", "1e-05"), and a comma behind it. Returns where that
// ends. Requires kMostFloatBytes for each number.
char* WriteJsonFloats(std::span<const float> numbers, char* to);

}  // namespace omserve::server
