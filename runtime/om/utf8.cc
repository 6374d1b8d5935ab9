// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/utf8.h"

#include <array>
#include <cstddef>
#include <cstdint>

namespace omserve::om {
namespace {

void MaskUnprintable(std::string& text) {
  for (char& c : text) {
    if (c < ' ' || c > '~') {
      c = '?';
    }
  }
}

}  // namespace

bool IsUtf8(std::string_view text) {
  // The least code point that needs that many continuation bytes; a smaller one is overlong.
  constexpr std::array<uint32_t, 4> kLeast = {0, 0x80, 0x800, 0x10000};
  size_t at = 0;
  while (at < text.size()) {
    const auto lead = static_cast<uint8_t>(text[at++]);
    if (lead < 0x80) {
      continue;
    }
    const size_t more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
    if (lead < 0xC2 || lead > 0xF4 || text.size() - at < more) {
      return false;
    }
    uint32_t code_point = lead & (0x3FU >> more);
    for (size_t i = 0; i < more; ++i) {
      const auto byte = static_cast<uint8_t>(text[at++]);
      if ((byte & 0xC0U) != 0x80U) {
        return false;
      }
      code_point = (code_point << 6U) | (byte & 0x3FU);
    }
    const bool surrogate = code_point >= 0xD800 && code_point <= 0xDFFF;
    if (code_point < kLeast[more] || code_point > 0x10FFFF || surrogate) {
      return false;
    }
  }
  return true;
}

std::string ToUtf8(std::string text) {
  if (!IsUtf8(text)) {
    MaskUnprintable(text);
  }
  return text;
}

std::string PrintableText(std::string_view text) {
  std::string printable(text.substr(0, 80));
  MaskUnprintable(printable);
  return printable;
}

}  // namespace omserve::om
