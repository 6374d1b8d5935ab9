// SPDX-License-Identifier: Apache-2.0
#include "runtime/memory/free_bits.h"

#include <catch2/catch.hpp>
#include <random>
#include <set>

namespace omserve::memory {
namespace {

// Any mix of insertions and erasures leaves what an ordinary set has, at sizes around the words'
// ends.
TEST_CASE("FreeBits is a set that knows its least member") {
  const size_t count = GENERATE(1U, 2U, 63U, 64U, 65U, 4095U, 4096U, 4097U, 300000U);
  INFO(count);
  FreeBits bits(count);
  std::set<size_t> expected;
  std::mt19937 random(20260102);  // NOLINT: the same mix in every run.
  CHECK_FALSE(bits.Least().has_value());
  for (int step = 0; step < 2000; ++step) {
    const size_t number = random() % count;
    if (random() % 3 == 0) {
      bits.Erase(number);
      expected.erase(number);
    } else {
      bits.Insert(number);
      expected.insert(number);
    }
    REQUIRE(bits.Contains(number) == (expected.count(number) == 1));
    REQUIRE(bits.Least() ==
            (expected.empty() ? std::nullopt : std::optional<size_t>(*expected.begin())));
  }
  for (const size_t number : std::set<size_t>(expected)) {
    REQUIRE(bits.Least() == number);
    bits.Erase(number);
  }
  CHECK_FALSE(bits.Least().has_value());
}

// Numbers beyond the count are not members, whatever the last word holds.
TEST_CASE("FreeBits has nothing beyond its count") {
  FreeBits bits(5);
  bits.Insert(4);
  CHECK(bits.Contains(4));
  CHECK_FALSE(bits.Contains(5));
  CHECK_FALSE(bits.Contains(63));
  CHECK_FALSE(bits.Contains(64));
  CHECK_FALSE(bits.Contains(1000));
}

// A set that can have no members has none.
TEST_CASE("FreeBits may be of size 0") {
  const FreeBits bits(0);
  CHECK_FALSE(bits.Least().has_value());
  CHECK_FALSE(bits.Contains(0));
}

}  // namespace
}  // namespace omserve::memory
