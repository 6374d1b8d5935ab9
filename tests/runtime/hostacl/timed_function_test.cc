// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/timed_function.h"

#include <array>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "runtime/acl/acl_abi.h"

namespace omserve::hostacl {
namespace {

uint64_t Seed(std::string_view model, const std::vector<std::string>& inputs) {
  std::vector<std::span<const std::byte>> spans;
  for (const std::string& input : inputs) {
    spans.push_back(std::as_bytes(std::span(input)));
  }
  return TimedSeed(model, spans);
}

template <typename T>
std::vector<T> Row(uint64_t seed, size_t output, aclDataType type, size_t count) {
  std::vector<T> row(count);
  FillTimedRow(seed, output, type, std::as_writable_bytes(std::span(row)));
  return row;
}

// The numbers of a program of a few lines in another language, written from the header: who
// implements it elsewhere gets the same.
TEST_CASE("The function is the documented one") {
  CHECK(Seed("scale_add", {"abcdefghij", ""}) == 0xD7AE347DBBE996D8);
  CHECK(Row<uint64_t>(1, 0, ACL_INT64, 4) == std::vector<uint64_t>{78, 5, 127, 44});
  CHECK(Row<float>(1, 2, ACL_FLOAT, 2) == std::vector<float>{0x93C24AP-24F, 0x818A4EP-24F});
}

// Model, place of an input, length and every byte count.
TEST_CASE("Everything of the row counts") {
  const std::vector<std::vector<std::string>> rows = {{"abcdefgh", "x"},
                                                      {"abcdefgi", "x"},
                                                      {"bbcdefgh", "x"},
                                                      {"abcdefgh", "y"},
                                                      {"x", "abcdefgh"},
                                                      {"abcdefgh", "x", ""},
                                                      {"abcdefghx", ""},
                                                      {"abcdefgh"},
                                                      {std::string("abcdefgh\0", 9), "x"},
                                                      {"efghabcd", "x"},
                                                      {"", "abcdefghx"},
                                                      {"abcdefgh", std::string("x\0", 2)},
                                                      {"abcdefghabcdefgi", "x"},
                                                      {"abcdefgiabcdefgh", "x"}};
  std::set<uint64_t> seeds;
  for (const std::vector<std::string>& row : rows) {
    seeds.insert(Seed("model", row));
    seeds.insert(Seed("other", row));
  }
  CHECK(seeds.size() == 2 * rows.size());
}

// Elements and outputs differ from each other, and a longer row starts as a shorter one.
TEST_CASE("Outputs differ by index and element") {
  const std::vector<float> first = Row<float>(7, 0, ACL_FLOAT, 64);
  CHECK(std::set<float>(first.begin(), first.end()).size() == 64);
  CHECK(Row<float>(7, 1, ACL_FLOAT, 64) != first);
  CHECK(Row<float>(8, 0, ACL_FLOAT, 64) != first);
  const std::vector<float> longer = Row<float>(7, 0, ACL_FLOAT, 100);
  CHECK(std::vector<float>(longer.begin(), longer.begin() + 64) == first);
}

float FromHalf(uint16_t half) {
  const int exponent = half >> 10;
  const int mantissa = half & 0x3FF;
  return exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -24)
                       : std::ldexp(static_cast<float>(1024 + mantissa), exponent - 25);
}

float FromBrain(uint16_t brain) {
  const uint32_t bits = uint32_t{brain} << 16;
  float value = 0;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// All floating point types hold the same fraction, cut to their bits; none reaches 1.
TEST_CASE("Floating point values are fractions") {
  constexpr size_t kCount = 5000;
  const std::vector<double> exact = Row<double>(3, 0, ACL_DOUBLE, kCount);
  const std::vector<float> floats = Row<float>(3, 0, ACL_FLOAT, kCount);
  const std::vector<uint16_t> halves = Row<uint16_t>(3, 0, ACL_FLOAT16, kCount);
  const std::vector<uint16_t> brains = Row<uint16_t>(3, 0, ACL_BF16, kCount);
  double sum = 0;
  for (size_t i = 0; i < kCount; ++i) {
    REQUIRE((exact[i] >= 0 && exact[i] < 1));
    REQUIRE(floats[i] == std::floor(exact[i] * 0x1p24) * 0x1p-24);
    REQUIRE(FromHalf(halves[i]) == std::floor(exact[i] * 0x1p11) * 0x1p-11);
    REQUIRE(FromBrain(brains[i]) == std::floor(exact[i] * 0x1p8) * 0x1p-8);
    sum += exact[i];
  }
  CHECK(sum / kCount == Approx(0.5).margin(0.02));
}

// Integers are the same small number in every type, bools 0 or 1, other types zero.
TEST_CASE("Integers are small") {
  constexpr size_t kCount = 200;
  const std::vector<int64_t> wide = Row<int64_t>(3, 0, ACL_INT64, kCount);
  const std::vector<int8_t> narrow = Row<int8_t>(3, 0, ACL_INT8, kCount);
  const std::vector<uint16_t> middle = Row<uint16_t>(3, 0, ACL_UINT16, kCount);
  const std::vector<uint32_t> other = Row<uint32_t>(3, 0, ACL_INT32, kCount);
  const std::vector<uint8_t> flags = Row<uint8_t>(3, 0, ACL_BOOL, kCount);
  for (size_t i = 0; i < kCount; ++i) {
    REQUIRE((wide[i] >= 0 && wide[i] <= 127));
    REQUIRE(narrow[i] == wide[i]);
    REQUIRE(middle[i] == static_cast<uint64_t>(wide[i]));
    REQUIRE(other[i] == static_cast<uint64_t>(wide[i]));
    REQUIRE(flags[i] == wide[i] / 64);
  }
  CHECK(Row<uint8_t>(3, 0, ACL_COMPLEX64, 4) == std::vector<uint8_t>{0, 0, 0, 0});
}

// Costs vary within the jitter, around the cost, and the same way every time.
TEST_CASE("Jitter follows from seed and call") {
  const Clock::duration cost = std::chrono::microseconds(1000);
  const auto at = [cost](uint64_t seed, uint64_t call) {
    return JitteredCost(cost, 0.25, seed, call);
  };
  Clock::duration sum{0};
  std::set<Clock::duration> different;
  for (uint64_t call = 0; call < 1000; ++call) {
    REQUIRE((at(1, call) >= std::chrono::microseconds(750) &&
             at(1, call) <= std::chrono::microseconds(1250)));
    sum += at(1, call);
    different.insert(at(1, call));
  }
  CHECK(different.size() > 900);
  CHECK(static_cast<double>(sum / 1000 / std::chrono::microseconds(1)) == Approx(1000).margin(20));
  CHECK(at(1, 5) == at(1, 5));
  CHECK(at(2, 5) != at(1, 5));
  CHECK(JitteredCost(cost, 0, 1, 5) == cost);
}

}  // namespace
}  // namespace omserve::hostacl
