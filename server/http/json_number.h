// SPDX-License-Identifier: Apache-2.0
// JSON numbers as the elements of tensors: exact, and fast for what tensors are full of.
// Pure; nothing is allocated but for whole numbers in an odd form ("1e3").
#pragma once

#include <array>
#include <bit>
#include <charconv>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "server/http/json_scan.h"

namespace omserve::server {

// Past the number by JSON's grammar that begins at `at`; nullptr when there is none.
const char* SkipJsonNumber(const char* at, const char* end);

// Reads the number that begins at `at`, of any length and form, and returns where it ends. nullptr
// when there is none, or T cannot hold it: too large, or not whole for a whole T. A float gets the
// nearest value, ties to even; what is too small for it is zero.
template <typename T>
const char* ReadAnyNumber(const char* at, const char* end, T* number);

namespace json_number {

// Eight bytes of text as digits, those that are: how many stand in front, and of all the value.
class DigitWord final {
 public:
  explicit DigitWord(const char* at) : values_(LoadEight(at) ^ EightOf('0')) {}

  int count() const {
    // The high bit of each byte that is above 9; no byte carries into the next.
    const uint64_t others = (((values_ & EightOf(0x7f)) + EightOf(0x76)) | values_) & EightOf(0x80);
    return std::countr_zero(others) / 8;
  }

  // Of the first `digits` of them.
  uint64_t value(int digits) const {
    // As if zeros stood in front: eight digits, whose neighbours are joined three times over. The
    // shift is cut in two because by 64 there is none.
    uint64_t eight = values_ << (32 - 4 * digits) << (32 - 4 * digits);
    eight = (eight * 10 + (eight >> 8)) & 0x00ff00ff00ff00ffULL;
    eight = (eight * 100 + (eight >> 16)) & 0x0000ffff0000ffffULL;
    return (eight * 10000 + (eight >> 32)) & 0xffffffffULL;
  }

 private:
  uint64_t values_;  // Of digits: 0 to 9.
};

inline constexpr std::array<uint64_t, 9> kPowersOfTen = {1,      10,      100,      1000,     10000,
                                                         100000, 1000000, 10000000, 100000000};
// As doubles, the nearest: kExactPowers of them exactly, the others off by half of the last bit.
inline constexpr size_t kExactPowers = 23;
inline constexpr std::array<double, 64> kDoublePowersOfTen = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22, 1e23, 1e24, 1e25, 1e26, 1e27, 1e28, 1e29, 1e30, 1e31,
    1e32, 1e33, 1e34, 1e35, 1e36, 1e37, 1e38, 1e39, 1e40, 1e41, 1e42, 1e43, 1e44, 1e45, 1e46, 1e47,
    1e48, 1e49, 1e50, 1e51, 1e52, 1e53, 1e54, 1e55, 1e56, 1e57, 1e58, 1e59, 1e60, 1e61, 1e62, 1e63};

// A number as it is written: mantissa * 10^exponent, all of it.
struct Decimal {
  uint64_t mantissa;
  int exponent;
  bool negative;
};

// No number in the short form is longer: a sign, 7 digits, a point, 32 digits, "e-", and the eight
// bytes behind it that are looked at once.
inline constexpr std::ptrdiff_t kShortFormBytes = 50;
// Any number of so many digits is an int64_t.
inline constexpr int kShortFormDigits = std::numeric_limits<int64_t>::digits10;

// "e5", "E-05": one or two digits. nullptr when it is longer, or no exponent.
inline const char* ReadShortExponent(const char* at, int* exponent) {
  ++at;
  const bool negative = *at == '-';
  at += negative || *at == '+' ? 1 : 0;
  const DigitWord digits(at);
  const int count = digits.count();
  if (count == 0 || count > 2) {
    return nullptr;
  }
  const auto value = static_cast<int>(digits.value(count));
  *exponent += negative ? -value : value;
  return at + count;
}

// Appends up to sixteen digits at `at` to the mantissa. How many there are is as good as random in
// most tensors, so that a branch on it would be mispredicted every other time.
inline int ReadDigits(const char* at, uint64_t* mantissa) {
  const DigitWord first(at);
  const DigitWord second(at + 8);
  const int first_count = first.count();
  const int second_count = first_count == 8 ? second.count() : 0;
  *mantissa = *mantissa * kPowersOfTen[static_cast<size_t>(first_count)] + first.value(first_count);
  *mantissa =
      *mantissa * kPowersOfTen[static_cast<size_t>(second_count)] + second.value(second_count);
  return first_count + second_count;
}

// A number of at most 7 digits in front of the point and kShortFormDigits in all, of which
// kShortFormBytes can be read. nullptr: it is none.
inline const char* ReadShortForm(const char* at, Decimal* decimal) {
  decimal->negative = *at == '-';
  at += decimal->negative ? 1 : 0;
  uint64_t mantissa = 0;
  int whole = 1;
  if (at[1] == '.') {
    // Most often so. Where the next number begins then depends on one count less, for which the
    // processor would wait; a branch that goes the same way each time it does not.
    mantissa = static_cast<unsigned char>(*at) - uint64_t{'0'};
    if (mantissa > 9) {
      return nullptr;
    }
    ++at;
  } else {
    const DigitWord digits(at);
    whole = digits.count();
    if (whole == 0 || whole == 8 || (*at == '0' && whole > 1)) {
      return nullptr;
    }
    mantissa = digits.value(whole);
    at += whole;
  }
  int fraction = 0;
  if (*at == '.') {
    const bool is_zero = mantissa == 0;
    fraction = ReadDigits(++at, &mantissa);
    at += fraction;
    if (fraction == 16) {
      const int more = ReadDigits(at, &mantissa);
      at += more;
      fraction += more;
    }
    if (fraction == 0 || fraction + (is_zero ? 0 : whole) > kShortFormDigits) {
      return nullptr;
    }
  }
  decimal->mantissa = mantissa;
  decimal->exponent = -fraction;
  return (*at | 0x20) == 'e' ? ReadShortExponent(at, &decimal->exponent) : at;
}

// Whether a double is so near to the middle between two floats that what it was computed from may
// be on the other side of it. Requires that floats have all their bits there.
inline bool IsNearMiddleOfFloats(double number) {
  constexpr uint64_t kMiddle =
      uint64_t{1} << (std::numeric_limits<double>::digits - std::numeric_limits<float>::digits - 1);
  constexpr uint64_t kNear = 4;
  const uint64_t lost = std::bit_cast<uint64_t>(number) & (2 * kMiddle - 1);
  return lost - (kMiddle - kNear) <= 2 * kNear;
}

// Whether the float nearest to `magnitude`, from 0 up, is the one nearest to the number that it was
// computed from. Three times that was rounded, at most, as mantissa, as power of ten and as their
// product: it is off by no more than three of its last bits, of which a float drops 29.
inline bool IsSafeAsFloat(double magnitude) {
  return magnitude == 0 || (magnitude >= double{std::numeric_limits<float>::min()} &&
                            magnitude <= double{std::numeric_limits<float>::max()} &&
                            !IsNearMiddleOfFloats(magnitude));
}

// The T nearest to `decimal`. False when this quick way cannot tell.
template <typename T>
bool FromDecimal(const Decimal& decimal, T* number) {
  constexpr bool kIsFloat = std::same_as<T, float>;
  const auto power =
      static_cast<size_t>(decimal.exponent < 0 ? -decimal.exponent : decimal.exponent);
  if (power >= (kIsFloat ? kDoublePowersOfTen.size() : kExactPowers)) {
    return false;
  }
  const auto mantissa = static_cast<double>(static_cast<int64_t>(decimal.mantissa));
  const double magnitude = decimal.exponent < 0 ? mantissa / kDoublePowersOfTen[power]
                                                : mantissa * kDoublePowersOfTen[power];
  if constexpr (kIsFloat) {
    if (!IsSafeAsFloat(magnitude)) {
      return false;
    }
  } else if (decimal.mantissa > uint64_t{1} << std::numeric_limits<double>::digits) {
    return false;  // Else both operands are exact, and one rounding gives the nearest.
  }
  // Not -magnitude or magnitude: signs are as good as random too.
  *number = static_cast<T>(
      std::bit_cast<double>(std::bit_cast<uint64_t>(magnitude) | uint64_t{decimal.negative} << 63));
  return true;
}

}  // namespace json_number

// ReadAnyNumber, with a short way for the numbers that tensors are full of.
template <std::floating_point T>
inline const char* ReadJsonNumber(const char* at, const char* end, T* number) {
  if (end - at >= json_number::kShortFormBytes) {
    json_number::Decimal decimal{};
    const char* const past = json_number::ReadShortForm(at, &decimal);
    if (past != nullptr && json_number::FromDecimal(decimal, number)) {
      return past;
    }
  }
  return ReadAnyNumber(at, end, number);
}

template <std::integral T>
inline const char* ReadJsonNumber(const char* at, const char* end, T* number) {
  const auto [past, error] = std::from_chars(at, end, *number);
  const char* const digits = at != end && *at == '-' ? at + 1 : at;
  const bool is_plain = error == std::errc() && (*digits != '0' || past - digits == 1) &&
                        (past == end || (*past != '.' && (*past | 0x20) != 'e'));
  return is_plain ? past : ReadAnyNumber(at, end, number);
}

}  // namespace omserve::server
