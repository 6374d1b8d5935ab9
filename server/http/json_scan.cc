// SPDX-License-Identifier: Apache-2.0
#include "server/http/json_scan.h"

namespace omserve::server {
namespace {

// Non-zero when one of the eight bytes is `byte`.
constexpr uint64_t HasByte(uint64_t word, unsigned char byte) {
  const uint64_t differences = word ^ EightOf(byte);
  return (differences - EightOf(0x01)) & ~differences & EightOf(0x80);
}

// Whether none of the eight bytes is a bracket or a quote.
constexpr bool IsInside(uint64_t word) {
  // Digits, signs, commas, points and space are below '@', as nearly all text of numbers is.
  if (((word & EightOf(0xc0)) | HasByte(word, '"')) == 0) {
    return true;
  }
  const uint64_t curly = word | EightOf('[' ^ '{');  // They differ in one bit.
  return (HasByte(curly, '{') | HasByte(curly, '}') | HasByte(word, '"')) == 0;
}

const char* SkipNested(const char* at, const char* end) {
  size_t depth = 0;
  while (at != end) {
    while (end - at >= 8 && IsInside(LoadEight(at))) {
      at += 8;
    }
    if (at == end) {
      return nullptr;
    }
    switch (*at) {
      case '"':
        at = SkipJsonString(at, end);
        if (at == nullptr) {
          return nullptr;
        }
        continue;
      case '[':
      case '{':
        ++depth;
        break;
      case ']':
      case '}':
        if (--depth == 0) {
          return at + 1;
        }
        break;
      default:
        break;
    }
    ++at;
  }
  return nullptr;
}

}  // namespace

const char* SkipJsonString(const char* at, const char* end) {
  ++at;
  while (at != end) {
    while (end - at >= 8 && (HasByte(LoadEight(at), '"') | HasByte(LoadEight(at), '\\')) == 0) {
      at += 8;
    }
    if (at == end) {
      return nullptr;
    }
    if (*at == '"') {
      return at + 1;
    }
    at += *at == '\\' && end - at >= 2 ? 2 : 1;
  }
  return nullptr;
}

const char* SkipJsonValue(const char* at, const char* end) {
  if (at == end) {
    return nullptr;
  }
  if (*at == '"') {
    return SkipJsonString(at, end);
  }
  if (*at == '[' || *at == '{') {
    return SkipNested(at, end);
  }
  const char* const begin = at;
  while (at != end && !IsJsonSpace(*at) && *at != ',' && *at != ']' && *at != '}') {
    ++at;
  }
  return at == begin ? nullptr : at;
}

std::string ShownJson(std::string_view text) {
  constexpr size_t kMost = 60;
  if (text.size() <= kMost) {
    return std::string(text);
  }
  size_t shown = kMost;
  while (shown > 0 && (static_cast<unsigned char>(text[shown]) & 0xc0U) == 0x80U) {
    --shown;
  }
  return std::string(text.substr(0, shown)) + "...";
}

}  // namespace omserve::server
