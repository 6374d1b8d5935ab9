// SPDX-License-Identifier: Apache-2.0
#include "server/http/json_number.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <system_error>

namespace omserve::server {
namespace {

constexpr bool IsDigit(char c) { return c >= '0' && c <= '9'; }

const char* SkipDigits(const char* at, const char* end) {
  return std::find_if_not(at, end, IsDigit);
}

// A number by JSON's grammar in its parts.
struct Parts {
  bool negative = false;
  std::string_view whole;     // At least one digit.
  std::string_view fraction;  // Without its point; may be empty.
  std::string_view exponent;  // Without its "e"; may be empty.
  const char* end = nullptr;
};

std::string_view Between(const char* from, const char* to) {
  return {from, static_cast<size_t>(to - from)};
}

// False when there is no number.
bool Split(const char* at, const char* end, Parts* parts) {
  if (at != end && *at == '-') {
    parts->negative = true;
    ++at;
  }
  const char* past = at != end && *at == '0' ? at + 1 : SkipDigits(at, end);
  if (past == at) {
    return false;
  }
  parts->whole = Between(at, past);
  at = past;
  if (at != end && *at == '.') {
    past = SkipDigits(++at, end);
    if (past == at) {
      return false;
    }
    parts->fraction = Between(at, past);
    at = past;
  }
  if (at != end && (*at == 'e' || *at == 'E')) {
    const char* const sign = ++at;
    at += at != end && (*at == '-' || *at == '+') ? 1 : 0;
    past = SkipDigits(at, end);
    if (past == at) {
      return false;
    }
    parts->exponent = Between(*sign == '+' ? at : sign, past);
    at = past;
  }
  parts->end = at;
  return true;
}

// Where a number is a bound on every number that could matter here, it stands for all beyond it.
constexpr int64_t kBeyond = int64_t{1} << 40;

int64_t ExponentOf(const Parts& parts) {
  int64_t exponent = 0;
  if (parts.exponent.empty()) {
    return 0;
  }
  const auto [past, error] = std::from_chars(
      parts.exponent.data(), parts.exponent.data() + parts.exponent.size(), exponent);
  if (error != std::errc()) {
    return parts.exponent.front() == '-' ? -kBeyond : kBeyond;
  }
  return std::clamp(exponent, -kBeyond, kBeyond);
}

// `digits` * 10^exponent, with neither zeros in front nor behind; no digits: zero.
struct Canonical {
  std::string digits;
  int64_t exponent = 0;
};

Canonical CanonicalOf(const Parts& parts) {
  Canonical number;
  number.digits.append(parts.whole).append(parts.fraction);
  number.exponent = ExponentOf(parts) - static_cast<int64_t>(parts.fraction.size());
  const size_t last = number.digits.find_last_not_of('0');
  if (last == std::string::npos) {
    return {};
  }
  number.exponent += static_cast<int64_t>(number.digits.size() - last - 1);
  number.digits.resize(last + 1);
  number.digits.erase(0, number.digits.find_first_not_of('0'));
  return number;
}

template <typename T>
bool ToWhole(const Parts& parts, T* number) {
  Canonical canonical = CanonicalOf(parts);
  if (canonical.digits.empty()) {
    *number = 0;
    return true;
  }
  constexpr int64_t kMostDigits = std::numeric_limits<uint64_t>::digits10 + 1;
  if (canonical.exponent < 0 || canonical.exponent > kMostDigits) {
    return false;
  }
  std::string text = parts.negative ? "-" : "";
  text += canonical.digits;
  text.append(static_cast<size_t>(canonical.exponent), '0');
  const auto [past, error] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return error == std::errc() && past == text.data() + text.size();
}

template <typename T>
bool ToNearest(const char* at, const Parts& parts, T* number) {
  const auto [past, error] = std::from_chars(at, parts.end, *number);
  if (error == std::errc()) {
    return past == parts.end && std::isfinite(*number);
  }
  // Beyond the largest or below the smallest, which from_chars does not tell apart.
  const Canonical canonical = CanonicalOf(parts);
  const bool is_small = canonical.digits.empty() ||
                        canonical.exponent + static_cast<int64_t>(canonical.digits.size()) <= 0;
  *number = parts.negative ? -T{0} : T{0};
  return is_small;
}

}  // namespace

const char* SkipJsonNumber(const char* at, const char* end) {
  Parts parts;
  return Split(at, end, &parts) ? parts.end : nullptr;
}

template <typename T>
const char* ReadAnyNumber(const char* at, const char* end, T* number) {
  Parts parts;
  if (!Split(at, end, &parts)) {
    return nullptr;
  }
  bool held = false;
  if constexpr (std::floating_point<T>) {
    held = ToNearest(at, parts, number);
  } else {
    held = ToWhole(parts, number);
  }
  return held ? parts.end : nullptr;
}

template const char* ReadAnyNumber(const char*, const char*, float*);
template const char* ReadAnyNumber(const char*, const char*, double*);
template const char* ReadAnyNumber(const char*, const char*, int8_t*);
template const char* ReadAnyNumber(const char*, const char*, int16_t*);
template const char* ReadAnyNumber(const char*, const char*, int32_t*);
template const char* ReadAnyNumber(const char*, const char*, int64_t*);
template const char* ReadAnyNumber(const char*, const char*, uint8_t*);
template const char* ReadAnyNumber(const char*, const char*, uint16_t*);
template const char* ReadAnyNumber(const char*, const char*, uint32_t*);
template const char* ReadAnyNumber(const char*, const char*, uint64_t*);

}  // namespace omserve::server
