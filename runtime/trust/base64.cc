// SPDX-License-Identifier: Apache-2.0
#include "runtime/trust/base64.h"

#include <cstdint>

namespace omserve::trust {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr unsigned kBits = 6;

std::optional<unsigned> ValueOf(char c, bool for_urls) {
  if (c >= 'A' && c <= 'Z') {
    return static_cast<unsigned>(c - 'A');
  }
  if (c >= 'a' && c <= 'z') {
    return static_cast<unsigned>(c - 'a' + 26);
  }
  if (c >= '0' && c <= '9') {
    return static_cast<unsigned>(c - '0' + 52);
  }
  if (c == (for_urls ? '-' : '+')) {
    return 62;
  }
  if (c == (for_urls ? '_' : '/')) {
    return 63;
  }
  return std::nullopt;
}

}  // namespace

std::string ToBase64(std::string_view bytes) {
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  uint32_t pending = 0;
  unsigned bits = 0;
  for (const char c : bytes) {
    pending = (pending << 8U) | static_cast<unsigned char>(c);
    for (bits += 8; bits >= kBits;) {
      bits -= kBits;
      text += kAlphabet[(pending >> bits) & 63U];
    }
  }
  if (bits > 0) {
    text += kAlphabet[(pending << (kBits - bits)) & 63U];
  }
  text.append((4 - text.size() % 4) % 4, '=');
  return text;
}

std::optional<std::string> FromBase64(std::string_view text) {
  if (text.size() % 4 != 0) {
    return std::nullopt;
  }
  const bool for_urls = text.find_first_of("-_") != std::string_view::npos;
  size_t digits = text.size();
  for (int padding = 0; padding < 2 && digits > 0 && text[digits - 1] == '='; ++padding) {
    --digits;
  }
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  uint32_t pending = 0;
  unsigned bits = 0;
  for (const char c : text.substr(0, digits)) {
    const std::optional<unsigned> value = ValueOf(c, for_urls);
    if (!value.has_value()) {
      return std::nullopt;
    }
    pending = (pending << kBits) | *value;
    bits += kBits;
    if (bits >= 8) {
      bits -= 8;
      bytes += static_cast<char>((pending >> bits) & 255U);
    }
  }
  const bool is_whole = (pending & ((1U << bits) - 1U)) == 0 && bits < kBits;
  return is_whole ? std::optional(std::move(bytes)) : std::nullopt;
}

}  // namespace omserve::trust
