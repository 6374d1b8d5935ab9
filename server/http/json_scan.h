// SPDX-License-Identifier: Apache-2.0
// Where a JSON value ends, found without reading it. Pure; nothing is allocated, nothing recursed.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace omserve::server {

// Eight bytes of text at once, the first in the lowest bits.
inline uint64_t LoadEight(const char* at) {
  static_assert(std::endian::native == std::endian::little, "the words below count on it");
  uint64_t word = 0;
  std::memcpy(&word, at, sizeof(word));
  return word;
}

// A word of eight times the same byte.
constexpr uint64_t EightOf(unsigned char byte) { return 0x0101010101010101ULL * byte; }

constexpr bool IsJsonSpace(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

inline const char* SkipJsonSpace(const char* at, const char* end) {
  while (at != end && IsJsonSpace(*at)) {
    ++at;
  }
  return at;
}

// Past the string that begins at `at`, which is a quote; nullptr when it does not end.
const char* SkipJsonString(const char* at, const char* end);

// Past the value that begins at `at`. For an array or object only brackets and strings are looked
// at, and any closing bracket fits any opening one: whoever reads the value finds what is wrong in
// it. nullptr when there is no value or it does not end.
const char* SkipJsonValue(const char* at, const char* end);

// What a message shows of `text`: all of it, or its first 60 bytes, cut between characters.
std::string ShownJson(std::string_view text);

}  // namespace omserve::server
