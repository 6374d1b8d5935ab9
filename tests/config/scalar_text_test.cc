// SPDX-License-Identifier: Apache-2.0
#include "config/scalar_text.h"

#include <catch2/catch.hpp>
#include <cstdint>
#include <limits>
#include <string>

namespace omserve::config {
namespace {

// Plain numbers are read up to both ends of their type.
TEST_CASE("whole numbers within their type") {
  CHECK(ParseWhole<int32_t>("0", Unit::kNone) == 0);
  CHECK(ParseWhole<int32_t>("-1", Unit::kNone) == -1);
  CHECK(ParseWhole<int32_t>("2147483647", Unit::kNone) == 2147483647);
  CHECK(ParseWhole<int32_t>("-2147483648", Unit::kNone) == std::numeric_limits<int32_t>::min());
  CHECK(ParseWhole<int64_t>("-9223372036854775808", Unit::kNone) ==
        std::numeric_limits<int64_t>::min());
  CHECK(ParseWhole<uint64_t>("18446744073709551615", Unit::kNone) ==
        std::numeric_limits<uint64_t>::max());
}

// What is no number, does not fit or could be read in two ways is refused.
TEST_CASE("whole numbers that are refused") {
  for (const char* text : {"", "-", "+1", "abc", "1a", "1.0", "1e3", "0x10", "007", " 1", "1 ",
                           "--1", "2147483648", "-2147483649", "99999999999999999999", "1_000"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseWhole<int32_t>(text, Unit::kNone).has_value());
  }
  CHECK_FALSE(ParseWhole<uint32_t>("-1", Unit::kNone).has_value());
  CHECK_FALSE(ParseWhole<uint32_t>("-0", Unit::kNone).has_value());
  CHECK_FALSE(ParseWhole<uint64_t>("18446744073709551616", Unit::kNone).has_value());
}

// Units scale into the field's own unit.
TEST_CASE("whole numbers with units") {
  CHECK(ParseWhole<int64_t>("64MiB", Unit::kBytes) == 67'108'864);
  CHECK(ParseWhole<int64_t>("64 MiB", Unit::kBytes) == 67'108'864);
  CHECK(ParseWhole<int64_t>("1GB", Unit::kBytes) == 1'000'000'000);
  CHECK(ParseWhole<int64_t>("512", Unit::kBytes) == 512);
  CHECK(ParseWhole<int32_t>("5ms", Unit::kMilliseconds) == 5);
  CHECK(ParseWhole<int32_t>("2000us", Unit::kMilliseconds) == 2);
  CHECK(ParseWhole<int32_t>("30s", Unit::kMilliseconds) == 30'000);
  CHECK(ParseWhole<uint64_t>("5ms", Unit::kMicroseconds) == 5'000);
  CHECK(ParseWhole<uint64_t>("250us", Unit::kMicroseconds) == 250);
  CHECK(ParseWhole<uint64_t>("1min", Unit::kMicroseconds) == 60'000'000);
}

// Units of another kind, remainders and overflow are refused, as is a unit where none is meant.
TEST_CASE("units that are refused") {
  CHECK_FALSE(ParseWhole<int32_t>("250us", Unit::kMilliseconds).has_value());
  CHECK_FALSE(ParseWhole<int32_t>("5MiB", Unit::kMilliseconds).has_value());
  CHECK_FALSE(ParseWhole<int64_t>("5ms", Unit::kBytes).has_value());
  CHECK_FALSE(ParseWhole<int64_t>("5mib", Unit::kBytes).has_value());
  CHECK_FALSE(ParseWhole<int64_t>("64  MiB", Unit::kBytes).has_value());
  CHECK_FALSE(ParseWhole<int64_t>("64 ", Unit::kBytes).has_value());
  CHECK_FALSE(ParseWhole<int64_t>("64MiB", Unit::kNone).has_value());
  CHECK_FALSE(ParseWhole<int32_t>("4GiB", Unit::kBytes).has_value());
  CHECK_FALSE(ParseWhole<int64_t>("18446744073709551615TiB", Unit::kBytes).has_value());
}

// The end of a field's name says what it counts.
TEST_CASE("the unit of a field") {
  CHECK(UnitOfField("memory_pool_bytes") == Unit::kBytes);
  CHECK(UnitOfField("drain_timeout_ms") == Unit::kMilliseconds);
  CHECK(UnitOfField("delay_us") == Unit::kMicroseconds);
  CHECK(UnitOfField("max_queue_delay_microseconds") == Unit::kMicroseconds);
  CHECK(UnitOfField("port") == Unit::kNone);
  CHECK(UnitOfField("columns") == Unit::kNone);
}

// Finite decimals are numbers; words, hexadecimals and infinities are not.
TEST_CASE("real numbers") {
  CHECK(ParseReal("0.5") == 0.5);
  CHECK(ParseReal("-1e-3") == -0.001);
  CHECK(ParseReal("3") == 3.0);
  for (const char* text : {"", "abc", "1,5", "inf", "nan", "1e999", "0x1p3", "1.5 "}) {
    CAPTURE(text);
    CHECK_FALSE(ParseReal(text).has_value());
  }
}

// Well-formed UTF-8 of every length passes.
TEST_CASE("UTF-8 that is well-formed") {
  size_t bad_at = 99;
  CHECK(IsUtf8("", &bad_at));
  CHECK(IsUtf8("plain", nullptr));
  CHECK(IsUtf8("\xc3\xa9 \xe5\x9b\xbe \xf0\x9f\x98\x80 \xf4\x8f\xbf\xbf", &bad_at));
  CHECK(bad_at == 99);
}

// Each way to be malformed is found at its first byte.
TEST_CASE("UTF-8 that is malformed") {
  const std::string bad[] = {"\x80",
                             "\xc0\xaf",
                             "\xc1\xbf",
                             "\xe0\x80\x80",
                             "\xed\xa0\x80",
                             "\xf0\x80\x80\x80",
                             "\xf4\x90\x80\x80",
                             "\xf5\x80\x80\x80",
                             "\xc3",
                             "\xe5\x9b",
                             "\xf0\x9f\x98",
                             "\xc3(",
                             "\xe5\x9b(",
                             "\xff"};
  for (const std::string& text : bad) {
    CAPTURE(text);
    size_t bad_at = 0;
    CHECK_FALSE(IsUtf8("ab" + text, &bad_at));
    CHECK(bad_at == 2);
  }
}

// A NUL is well-formed UTF-8 and still nothing for a name.
TEST_CASE("a string with NUL is not clean") {
  CHECK(IsCleanString("tab\tand\nnewline"));
  CHECK_FALSE(IsCleanString(std::string("a\0b", 3)));
  CHECK_FALSE(IsCleanString("\xff"));
}

}  // namespace
}  // namespace omserve::config
