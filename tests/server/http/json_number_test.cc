// SPDX-License-Identifier: Apache-2.0
// Numbers: what is one, and which value it has.
#include "server/http/json_number.h"

#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <random>
#include <string>

namespace omserve::server {
namespace {

// With what follows in a document, so that the short way is taken; and alone, where it is not.
template <typename T>
std::optional<T> Read(const std::string& text) {
  const std::string followed = text + "," + std::string(64, ' ');
  T number{};
  T alone{};
  const char* const past =
      ReadJsonNumber(followed.data(), followed.data() + followed.size(), &number);
  const char* const past_alone = ReadJsonNumber(text.data(), text.data() + text.size(), &alone);
  REQUIRE((past == nullptr) == (past_alone == nullptr));
  if (past == nullptr) {
    return std::nullopt;
  }
  REQUIRE(past - followed.data() == past_alone - text.data());
  REQUIRE(std::memcmp(&number, &alone, sizeof(T)) == 0);
  return past_alone == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

template <typename T>
bool IsSame(const std::optional<T>& read, T expected) {
  return read.has_value() && std::memcmp(&*read, &expected, sizeof(T)) == 0;
}

// Whatever JSON does not call a number.
TEST_CASE("ReadJsonNumber: no numbers") {
  for (const char* text : {"",      "-",        "+1",
                           ".5",    "1.",       "1.e3",
                           "01",    "-01",      "00",
                           "1e",    "1e+",      "1E-",
                           "0x10",  "inf",      "nan",
                           "NaN",   "Infinity", "-inf",
                           "1_000", "--1",      "1.5.2",
                           "e5",    "1e5.5",    "\"1\"",
                           " 1",    "1a",       "123456789012345678901234567890.",
                           "-.5",   "1,5",      "\xd9\xa1"}) {
    CAPTURE(text);
    CHECK_FALSE(Read<float>(text).has_value());
    CHECK_FALSE(Read<double>(text).has_value());
    CHECK_FALSE(Read<int64_t>(text).has_value());
    CHECK_FALSE(Read<uint8_t>(text).has_value());
  }
}

// Halves, limits, and numbers a hair beside the middle of two floats.
TEST_CASE("ReadJsonNumber: hard floats") {
  for (const char* text : {"0",
                           "-0",
                           "0.0",
                           "-0e99",
                           "1",
                           "0.1",
                           "1e22",
                           "1e23",
                           "8.5e-5",
                           "16777217",
                           "16777219",
                           "16777217.0000000001",
                           "16777216.9999999999",
                           "1.00000005960464477539",
                           "1.000000059604644775390625",
                           "1.0000000596046447753906249999999999",
                           "1.0000000596046447753906250000000001",
                           "0.50000002980232238769531250",
                           "9007199254740993",
                           "9007199254740992.5",
                           "1.1754942807573642918e-38",
                           "1.4012984643e-45",
                           "7.0064923e-46",
                           "7.0064924e-46",
                           "1e-50",
                           "1e-400",
                           "-1e-400",
                           "4.9406564584124654e-324",
                           "2.4e-324",
                           "3.4028234663852886e38",
                           "3.4028235677973366e38",
                           "0.30000001192092896",
                           "0.042438623309135437",
                           "1234567.123456789012",
                           "0.000000000000000000000000000000000000000000001",
                           "123456789012345678901234567890",
                           "2.2250738585072011e-308",
                           "1E5",
                           "1e+05",
                           "1e-05",
                           "12345678",
                           "1234567",
                           "0.12345678",
                           "0.123456789",
                           "0.1234567890123456",
                           "0.12345678901234567",
                           "0.123456789012345678",
                           "0.1234567890123456789",
                           "0.123456789012345678901234",
                           "99999999999999999999"}) {
    CAPTURE(text);
    CHECK(IsSame(Read<float>(text), std::strtof(text, nullptr)));
    CHECK(IsSame(Read<double>(text), std::strtod(text, nullptr)));
  }
  CHECK(IsSame(Read<double>("1.7976931348623157e308"), std::numeric_limits<double>::max()));
  for (const char* text : {"3.4028235677973367e38", "3.5e38", "-1e39", "1e400", "1e99999999999"}) {
    CAPTURE(text);
    CHECK_FALSE(Read<float>(text).has_value());
  }
  CHECK_FALSE(Read<double>("1.8e308").has_value());
  CHECK_FALSE(Read<double>("-1e99999999999999999999").has_value());
  CHECK(IsSame(Read<double>("1e-99999999999999999999"), 0.0));
  CHECK(IsSame(Read<double>("-0.0e99999999999999999999"), -0.0));
}

// The nearest, against the C library: at the middle of neighbours and a digit beside it, of every
// length.
TEST_CASE("ReadJsonNumber: the nearest float, seeded") {
  std::mt19937_64 random(20261126);
  for (int i = 0; i < 100'000; ++i) {
    const auto bits = static_cast<uint32_t>(random());
    float number = 0;
    std::memcpy(&number, &bits, sizeof(number));
    if (i % 2 == 0) {
      number = static_cast<float>(static_cast<int32_t>(bits)) / 65536;
    }
    if (!std::isfinite(number)) {
      continue;
    }
    const double middle =
        (double{number} + double{std::nextafter(number, 0.0F)}) / 2;  // A double has the bits.
    const auto digits = static_cast<int>(random() % 24);
    const bool is_fixed = std::abs(number) < 1e9F && i % 3 > 0;
    const std::string text =
        is_fixed ? fmt::format("{:.{}f}", middle, digits) : fmt::format("{:.{}e}", middle, digits);
    CAPTURE(text);
    REQUIRE(IsSame(Read<float>(text), std::strtof(text.c_str(), nullptr)));
    REQUIRE(IsSame(Read<double>(text), std::strtod(text.c_str(), nullptr)));
  }
}

// Every bit of a double comes back.
TEST_CASE("ReadJsonNumber: doubles there and back, seeded") {
  std::mt19937_64 random(20261127);
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t bits = random();
    double number = 0;
    std::memcpy(&number, &bits, sizeof(number));
    number = std::isfinite(number) ? number : 0;
    number = i % 2 == 0 ? number : std::normal_distribution<double>(0, 1)(random);
    REQUIRE(IsSame(Read<double>(fmt::format("{}", number)), number));
  }
}

// Whole numbers in any form, and only what is whole and fits.
TEST_CASE("ReadJsonNumber: whole numbers") {
  CHECK(Read<int64_t>("-9223372036854775808") == std::numeric_limits<int64_t>::min());
  CHECK(Read<uint64_t>("18446744073709551615") == std::numeric_limits<uint64_t>::max());
  CHECK(Read<uint64_t>("18446744073709551615.000e0") == std::numeric_limits<uint64_t>::max());
  CHECK(Read<int64_t>("9007199254740993.0") == 9007199254740993);
  CHECK(Read<uint8_t>("255") == 255);
  CHECK(Read<uint8_t>("2.55e2") == 255);
  CHECK(Read<uint8_t>("2550E-1") == 255);
  CHECK(Read<uint8_t>("-0") == 0);
  CHECK(Read<uint8_t>("0e99999999999999999999") == 0);
  CHECK(Read<int8_t>("-1.28e+2") == -128);
  CHECK(Read<int32_t>("0.1e1") == 1);
  for (const char* text : {"256", "-1", "1.5", "1e-1", "2.555e2", "1e20", "1e99999999999999999999",
                           "1e-99999999999999999999", "18446744073709551616"}) {
    CAPTURE(text);
    CHECK_FALSE(Read<uint8_t>(text).has_value());
  }
  CHECK_FALSE(Read<int8_t>("128").has_value());
  CHECK_FALSE(Read<int64_t>("9223372036854775808").has_value());
  CHECK_FALSE(Read<uint64_t>("18446744073709551616").has_value());
  CHECK_FALSE(Read<uint64_t>("1.8446744073709551616e19").has_value());
}

}  // namespace
}  // namespace omserve::server
