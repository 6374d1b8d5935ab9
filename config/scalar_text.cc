// SPDX-License-Identifier: Apache-2.0
#include "config/scalar_text.h"

#include <charconv>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <system_error>
#include <type_traits>

namespace omserve::config {
namespace {

struct Suffix {
  std::string_view text;
  uint64_t factor;
};

constexpr Suffix kByteSuffixes[] = {
    {"B", 1},
    {"KiB", uint64_t{1} << 10},
    {"MiB", uint64_t{1} << 20},
    {"GiB", uint64_t{1} << 30},
    {"TiB", uint64_t{1} << 40},
    {"KB", 1'000},
    {"MB", 1'000'000},
    {"GB", 1'000'000'000},
    {"TB", 1'000'000'000'000},
};

// In microseconds, the smallest unit that a field counts.
constexpr Suffix kTimeSuffixes[] = {
    {"us", 1}, {"ms", 1'000}, {"s", 1'000'000}, {"min", 60'000'000}, {"h", 3'600'000'000},
};

std::span<const Suffix> SuffixesOf(Unit unit) {
  if (unit == Unit::kNone) {
    return {};
  }
  return unit == Unit::kBytes ? std::span<const Suffix>(kByteSuffixes)
                              : std::span<const Suffix>(kTimeSuffixes);
}

// The number in front of `suffix` in the field's unit; nullopt on overflow and on a remainder.
std::optional<uint64_t> Scaled(uint64_t number, std::string_view suffix, Unit unit) {
  if (suffix.empty()) {
    return number;
  }
  if (suffix.front() == ' ') {
    suffix.remove_prefix(1);
  }
  for (const Suffix& known : SuffixesOf(unit)) {
    if (known.text != suffix) {
      continue;
    }
    const uint64_t divisor = unit == Unit::kMilliseconds ? 1'000 : 1;
    uint64_t scaled = 0;
    if (__builtin_mul_overflow(number, known.factor, &scaled) || scaled % divisor != 0) {
      return std::nullopt;
    }
    return scaled / divisor;
  }
  return std::nullopt;
}

// Bytes of the UTF-8 character at the front of `text`; 0 when there is none. The bounds of the
// second byte exclude overlong forms, surrogates and what lies beyond U+10FFFF.
size_t Utf8Length(std::string_view text) {
  const auto at = [&](size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned lead = at(0);
  if (lead < 0x80) {
    return 1;
  }
  size_t length = 0;
  unsigned low = 0x80;
  unsigned high = 0xbf;
  if (lead >= 0xc2 && lead <= 0xdf) {
    length = 2;
  } else if (lead >= 0xe0 && lead <= 0xef) {
    length = 3;
    low = lead == 0xe0 ? 0xa0 : 0x80;
    high = lead == 0xed ? 0x9f : 0xbf;
  } else if (lead >= 0xf0 && lead <= 0xf4) {
    length = 4;
    low = lead == 0xf0 ? 0x90 : 0x80;
    high = lead == 0xf4 ? 0x8f : 0xbf;
  }
  if (length == 0 || text.size() < length || at(1) < low || at(1) > high) {
    return 0;
  }
  for (size_t i = 2; i < length; ++i) {
    if ((at(i) & 0xc0U) != 0x80) {
      return 0;
    }
  }
  return length;
}

}  // namespace

Unit UnitOfField(std::string_view field_name) {
  if (field_name.ends_with("_bytes")) {
    return Unit::kBytes;
  }
  if (field_name.ends_with("_ms")) {
    return Unit::kMilliseconds;
  }
  if (field_name.ends_with("_us") || field_name.ends_with("_microseconds")) {
    return Unit::kMicroseconds;
  }
  return Unit::kNone;
}

std::string_view UnitHint(Unit unit) {
  switch (unit) {
    case Unit::kNone:
      return "";
    case Unit::kBytes:
      return " (bytes, or with a unit: KiB, MiB, GiB, TiB, KB, MB, GB, TB)";
    case Unit::kMilliseconds:
      return " (milliseconds, or with a unit: ms, s, min, h)";
    case Unit::kMicroseconds:
      return " (microseconds, or with a unit: us, ms, s, min, h)";
  }
  return "";
}

template <typename T>
std::optional<T> ParseWhole(std::string_view text, Unit unit) {
  const bool negative = std::is_signed_v<T> && text.starts_with('-');
  if (negative) {
    text.remove_prefix(1);
  }
  if (text.empty() || text.front() < '0' || text.front() > '9' ||
      (text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9')) {
    return std::nullopt;
  }
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc()) {
    return std::nullopt;
  }
  text.remove_prefix(static_cast<size_t>(end - text.data()));
  const std::optional<uint64_t> scaled = Scaled(number, text, unit);
  const auto limit = static_cast<uint64_t>(std::numeric_limits<T>::max());
  if (!scaled || *scaled > limit + (negative ? 1 : 0)) {
    return std::nullopt;
  }
  // Two's complement negation in the unsigned type, where it cannot overflow.
  return static_cast<T>(negative ? ~*scaled + 1 : *scaled);
}

template std::optional<int32_t> ParseWhole<int32_t>(std::string_view text, Unit unit);
template std::optional<int64_t> ParseWhole<int64_t>(std::string_view text, Unit unit);
template std::optional<uint32_t> ParseWhole<uint32_t>(std::string_view text, Unit unit);
template std::optional<uint64_t> ParseWhole<uint64_t>(std::string_view text, Unit unit);

std::optional<double> ParseReal(std::string_view text) {
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(number)) {
    return std::nullopt;
  }
  return number;
}

bool IsUtf8(std::string_view text, size_t* bad_at) {
  for (size_t i = 0; i < text.size();) {
    const size_t length = Utf8Length(text.substr(i));
    if (length == 0) {
      if (bad_at != nullptr) {
        *bad_at = i;
      }
      return false;
    }
    i += length;
  }
  return true;
}

bool IsCleanString(std::string_view text) {
  return text.find('\0') == std::string_view::npos && IsUtf8(text, nullptr);
}

}  // namespace omserve::config
