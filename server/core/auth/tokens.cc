// SPDX-License-Identifier: Apache-2.0
#include "server/core/auth/tokens.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>

namespace omserve::server {
namespace {

constexpr size_t kRandomBytes = 32;
constexpr size_t kMostTokenBytes = 512;
constexpr std::string_view kScheme = "bearer";

bool IsTokenCharacter(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         std::string_view("-._~+/=").find(c) != std::string_view::npos;
}

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::optional<uint8_t> HexDigit(char c) {
  const char lower = Lower(c);
  if (lower >= '0' && lower <= '9') {
    return static_cast<uint8_t>(lower - '0');
  }
  if (lower >= 'a' && lower <= 'f') {
    return static_cast<uint8_t>(lower - 'a' + 10);
  }
  return std::nullopt;
}

}  // namespace

std::string NewToken() {
  std::array<unsigned char, kRandomBytes> random{};
  if (RAND_bytes(random.data(), static_cast<int>(random.size())) != 1) {
    return "";
  }
  constexpr std::string_view kAlphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  constexpr unsigned kBits = 6;
  std::string token = "oms_";  // By which scanners for secrets find one that was published.
  unsigned pending = 0;
  unsigned bits = 0;
  for (const unsigned char byte : random) {
    pending = (pending << 8U) | byte;
    for (bits += 8; bits >= kBits;) {
      bits -= kBits;
      token += kAlphabet[(pending >> bits) & 63U];
    }
  }
  return token + kAlphabet[(pending << (kBits - bits)) & 63U];
}

std::optional<std::string_view> BearerToken(std::string_view authorization) {
  if (authorization.size() <= kScheme.size() || authorization[kScheme.size()] != ' ' ||
      !std::equal(kScheme.begin(), kScheme.end(), authorization.begin(),
                  [](char a, char b) { return a == Lower(b); })) {
    return std::nullopt;
  }
  const size_t begin = authorization.find_first_not_of(' ', kScheme.size());
  if (begin == std::string_view::npos) {
    return std::nullopt;
  }
  const std::string_view token = authorization.substr(begin);
  if (token.size() > kMostTokenBytes ||
      !std::all_of(token.begin(), token.end(), IsTokenCharacter)) {
    return std::nullopt;
  }
  return token;
}

TokenHash HashOf(std::string_view token) {
  static_assert(kTokenHashBytes == SHA256_DIGEST_LENGTH);
  TokenHash hash{};
  SHA256(static_cast<const unsigned char*>(static_cast<const void*>(token.data())), token.size(),
         hash.data());
  return hash;
}

std::string HexOf(const TokenHash& hash) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string hex;
  for (const uint8_t byte : hash) {
    hex += kDigits[byte >> 4U];
    hex += kDigits[byte & 15U];
  }
  return hex;
}

std::optional<TokenHash> HashFromHex(std::string_view hex) {
  if (hex.size() != 2 * kTokenHashBytes) {
    return std::nullopt;
  }
  TokenHash hash{};
  for (size_t i = 0; i < kTokenHashBytes; ++i) {
    const std::optional<uint8_t> high = HexDigit(hex[2 * i]);
    const std::optional<uint8_t> low = HexDigit(hex[2 * i + 1]);
    if (!high.has_value() || !low.has_value()) {
      return std::nullopt;
    }
    hash[i] = static_cast<uint8_t>(*high * 16 + *low);
  }
  return hash;
}

bool AreEqual(const TokenHash& a, const TokenHash& b) {
  return CRYPTO_memcmp(a.data(), b.data(), kTokenHashBytes) == 0;
}

bool AreEqual(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace omserve::server
