// SPDX-License-Identifier: Apache-2.0
// Floats as text: the same as fmt's.
#include "server/http/json_float.h"

#include <fmt/format.h>

#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace omserve::server {
namespace {

std::string Written(std::span<const float> numbers) {
  std::array<char, kFloatsAtOnce * kMostFloatBytes> buffer;
  return {buffer.data(), WriteJsonFloats(numbers, buffer.data())};
}

std::string FmtOf(std::span<const float> numbers) {
  std::string text;
  for (const float number : numbers) {
    text += fmt::format("{},", number);
  }
  return text;
}

// Every form: whole, below one, with zeros on either side, with an exponent, and their limits.
TEST_CASE("WriteJsonFloats: forms") {
  const std::vector<float> numbers = {0.0F,
                                      -0.0F,
                                      1.0F,
                                      -1.0F,
                                      9.0F,
                                      10.0F,
                                      250.0F,
                                      9999999.0F,
                                      10000000.0F,
                                      16777216.0F,
                                      33554432.0F,
                                      1e15F,
                                      9.9999998e15F,
                                      1e16F,
                                      0.1F,
                                      -0.5F,
                                      0.05F,
                                      0.0001F,
                                      0.00012345678F,
                                      0.0000999F,
                                      1e-5F,
                                      1.5F,
                                      1234.5F,
                                      1234567.1F,
                                      8388607.5F,
                                      1e-45F,
                                      1.17549435e-38F,
                                      3.40282347e38F,
                                      -1.1754942e-38F,
                                      1e22F};
  CHECK(Written(numbers) == FmtOf(numbers));
  CHECK(Written({}).empty());
}

TEST_CASE("WriteJsonFloats: any bits, seeded") {
  std::mt19937 random(20261126);
  std::normal_distribution<float> normal(0, 1);
  std::array<float, kFloatsAtOnce> numbers;
  for (int round = 0; round < 5000; ++round) {
    for (size_t i = 0; i < numbers.size(); i += 4) {
      const auto bits = static_cast<uint32_t>(random());
      std::memcpy(&numbers[i], &bits, sizeof(float));
      numbers[i] = std::isfinite(numbers[i]) ? numbers[i] : 0;
      numbers[i + 1] = normal(random);
      numbers[i + 2] = static_cast<float>(static_cast<int32_t>(bits)) / 1000;
      numbers[i + 3] = std::ldexp(1.0F, static_cast<int>(bits % 250) - 125);
    }
    REQUIRE(Written(numbers) == FmtOf(numbers));
  }
}

}  // namespace
}  // namespace omserve::server
