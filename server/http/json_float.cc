// SPDX-License-Identifier: Apache-2.0
#include "server/http/json_float.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "server/http/json_scan.h"

namespace omserve::server {
namespace {

constexpr int kMostDigits = 9;  // Of a float that is read back as the same.
constexpr std::array<uint32_t, kMostDigits + 1> kPowersOfTen = {
    1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};

int CountDigits(uint32_t number) {
  number |= 1;  // Zero has a digit too.
  // 1233 / 4096 is log10(2), closely enough for 32 bits.
  const int estimate = (std::bit_width(number) * 1233) >> 12;
  return estimate + (number >= kPowersOfTen[static_cast<size_t>(estimate)] ? 1 : 0);
}

// The eight digits of `number`, zeros in front included, as text: the opposite of what ReadDigits
// does, a number is halved three times over.
uint64_t EightDigits(uint32_t number) {
  const uint64_t high = number / 10000;
  const uint64_t fours = high | (number - high * 10000) << 32;
  // Division by 100 and by 10 of small numbers, in all places at once.
  const uint64_t hundreds = ((fours * 10486) >> 20) & 0x0000007f0000007fULL;
  const uint64_t twos = hundreds | (fours - hundreds * 100) << 16;
  const uint64_t tens = ((twos * 103) >> 10) & 0x000f000f000f000fULL;
  return (tens | (twos - tens * 10) << 8) | EightOf('0');
}

void StoreEight(uint64_t text, char* to) { std::memcpy(to, &text, sizeof(text)); }

// "1.2345678e-05", with a sign and two digits of exponent.
char* WriteScientific(char first, uint64_t others, int count, int exponent, char* to) {
  *to++ = first;
  if (count > 1) {
    *to = '.';
    StoreEight(others, to + 1);
    to += count;
  }
  const int magnitude = exponent < 0 ? -exponent : exponent;
  *to++ = 'e';
  *to++ = exponent < 0 ? '-' : '+';
  *to++ = static_cast<char>('0' + magnitude / 10);
  *to++ = static_cast<char>('0' + magnitude % 10);
  return to;
}

// significand * 10^exponent, with a significand of the fewest digits.
struct Decimal {
  uint32_t significand;
  int exponent;
};

char* WriteDecimal(const Decimal& decimal, char* to) {
  const int count = CountDigits(decimal.significand);
  // All of them to the left, so that each has its place: the first, and eight others.
  const uint32_t nine =
      decimal.significand * kPowersOfTen[static_cast<size_t>(kMostDigits - count)];
  const uint32_t head = nine / kPowersOfTen[kMostDigits - 1];
  const auto first = static_cast<char>('0' + head);
  const uint64_t others = EightDigits(nine - head * kPowersOfTen[kMostDigits - 1]);
  const int exponent = decimal.exponent + count - 1;  // Of the first digit.
  if (exponent < -4 || exponent >= 16) {
    return WriteScientific(first, others, count, exponent, to);
  }
  if (count <= exponent + 1) {  // "1234567800000"
    StoreEight(EightOf('0'), to + 8);
    StoreEight(EightOf('0'), to + 16);
    *to = first;
    StoreEight(others, to + 1);
    return to + exponent + 1;
  }
  // "0.00012345678" and "1234.5678" in one way: which of them it is is as good as random in most
  // tensors, and a branch on it would be mispredicted as often. The zeros are written over where
  // there are none; what follows the point is written twice.
  const int negative = exponent >> 31;  // -1 or 0.
  const int below = -exponent & negative;
  const int zeros = below - negative;  // With the point.
  const int point = exponent + below + 1;
  StoreEight(EightOf('0'), to);
  to[zeros] = first;
  StoreEight(others, to + zeros + 1);
  to[point] = '.';
  StoreEight(others >> (8 * (point - 1)), to + std::max(zeros, point) + 1);
  return to + count + std::max(zeros, 1);
}

// The shortest digits are fmt's (Dragonbox); only where they go is ours, because fmt::format_to
// spends twice as long on that as on the digits. The test holds both to the same text.
Decimal ShortestDecimal(float number) {
  const float magnitude = std::abs(number);
  const bool may_be_whole = magnitude < static_cast<float>(kPowersOfTen[kMostDigits - 2]);
  const auto whole = static_cast<uint32_t>(may_be_whole ? magnitude : 0);
  if (static_cast<float>(whole) == magnitude) {  // Pixels, tokens, zeros: they are their digits.
    return {whole, 0};
  }
  const auto decimal = fmt::detail::dragonbox::to_decimal(magnitude);
  return {decimal.significand, decimal.exponent};
}

}  // namespace

char* WriteJsonFloats(std::span<const float> numbers, char* to) {
  // First all digits, then all text: finding the digits takes branches that nobody can predict,
  // and whatever is under way behind such a branch is thrown away.
  std::array<Decimal, kFloatsAtOnce> decimals;
  for (size_t i = 0; i < numbers.size(); ++i) {
    decimals[i] = ShortestDecimal(numbers[i]);
  }
  for (size_t i = 0; i < numbers.size(); ++i) {
    *to = '-';
    to = WriteDecimal(decimals[i], to + (std::signbit(numbers[i]) ? 1 : 0));
    *to++ = ',';
  }
  return to;
}

}  // namespace omserve::server
