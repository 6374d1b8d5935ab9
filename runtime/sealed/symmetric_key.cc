// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/symmetric_key.h"

#include <openssl/hmac.h>

#include <array>
#include <cstdint>

#include "runtime/base/errors.h"
#include "runtime/sealed/file_keys.h"
#include "runtime/sealed/openssl_handles.h"

namespace omserve::sealed {
namespace {

constexpr size_t kHexBytes = 2 * kKeyBytes;
constexpr size_t kBase64Bytes = 44;
constexpr size_t kBase64Padding = 1;

// -1 for no digit. Which digit it was takes the same time for all: these are a key's.
int HexDigit(char c) {
  const int digit = c - '0';
  const int letter = (c | 0x20) - 'a';
  const int is_digit = static_cast<int>(digit >= 0 && digit < 10);
  const int is_letter = static_cast<int>(letter >= 0 && letter < 6);
  return is_digit * digit + is_letter * (letter + 10) - (1 - is_digit - is_letter);
}

bool FromHex(std::string_view text, std::span<std::byte> key) {
  bool ok = true;
  for (size_t i = 0; i < key.size(); ++i) {
    const int high = HexDigit(text[2 * i]);
    const int low = HexDigit(text[2 * i + 1]);
    ok = ok && high >= 0 && low >= 0;
    key[i] = static_cast<std::byte>((high << 4) | (low & 0xf));
  }
  return ok;
}

absl::StatusOr<bool> FromBase64(std::string_view text, std::span<std::byte> key) {
  ASSIGN_OR_RETURN(SecretBytes decoded, SecretBytes::Allocate(kKeyBytes + kBase64Padding));
  const int size = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(decoded.bytes().data()),
                                   reinterpret_cast<const unsigned char*>(text.data()),
                                   static_cast<int>(text.size()));
  std::ranges::copy(std::span<const std::byte>(decoded.bytes()).first(kKeyBytes), key.begin());
  // The function counts the padding as zero bytes.
  return size == static_cast<int>(kKeyBytes + kBase64Padding) && text[kBase64Bytes - 2] != '=' &&
         text.back() == '=';
}

std::string_view WithoutLineEnd(std::string_view text) {
  if (text.ends_with('\n')) {
    text.remove_suffix(1);
  }
  if (text.ends_with('\r')) {
    text.remove_suffix(1);
  }
  return text;
}

absl::StatusOr<std::string> ComputedId(std::span<const std::byte> key) {
  constexpr std::string_view kWhat = "omserve sealed key id";
  constexpr size_t kIdBytes = 8;
  std::array<unsigned char, EVP_MAX_MD_SIZE> mac;
  if (HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
           reinterpret_cast<const unsigned char*>(kWhat.data()), kWhat.size(), mac.data(),
           nullptr) == nullptr) {
    return Internal("HMAC-SHA256 failed: {}", OpensslErrorText());
  }
  std::string id;
  for (size_t i = 0; i < kIdBytes; ++i) {
    id += fmt::format("{:02x}", mac[i]);
  }
  return id;
}

bool IsId(std::string_view id) {
  constexpr std::string_view kAllowed =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
  return !id.empty() && id.size() <= SymmetricKey::kMostIdBytes &&
         id.find_first_not_of(kAllowed) == std::string_view::npos;
}

}  // namespace

absl::StatusOr<SymmetricKey> SymmetricKey::FromText(const SecretBytes& text, std::string id,
                                                    std::string_view source) {
  ASSIGN_OR_RETURN(SecretBytes key, SecretBytes::Allocate(kKeyBytes));
  const std::string_view trimmed = WithoutLineEnd(text.text());
  bool ok = false;
  // 32 letters are half a key in digits, or words: either can be guessed by the id alone.
  const bool is_text =
      std::ranges::all_of(text.text(), [](char c) { return c >= ' ' && c <= '~'; });
  if (text.size_bytes() == kKeyBytes && !is_text) {
    std::ranges::copy(text.bytes(), key.bytes().begin());
    ok = true;
  } else if (trimmed.size() == kHexBytes) {
    ok = FromHex(trimmed, key.bytes());
  } else if (trimmed.size() == kBase64Bytes) {
    ASSIGN_OR_RETURN(ok, FromBase64(trimmed, key.bytes()));
  }
  if (!ok) {
    return InvalidArgument(
        "{}: {} bytes that are no key, expected 32 bytes, 64 hexadecimal digits or 44 characters "
        "of base64; `openssl rand -hex 32` makes one",
        source, text.size_bytes());
  }
  if (id.empty()) {
    ASSIGN_OR_RETURN(id, ComputedId(key.bytes()));
  }
  if (!IsId(id)) {
    return InvalidArgument("{}: key id '{}', expected 1 to {} letters, digits, '.', '_' and '-'",
                           source, id, kMostIdBytes);
  }
  return SymmetricKey(std::move(key), std::move(id));
}

}  // namespace omserve::sealed
