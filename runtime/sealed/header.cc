// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/header.h"

#include <algorithm>
#include <bit>
#include <string_view>

#include "runtime/base/errors.h"

namespace omserve::sealed {
namespace {

using Bytes = std::span<const std::byte>;

// The first byte is no text and the last one is changed by transfers that convert line ends.
constexpr std::string_view kMagic("\x89OMSEAL\n", 8);
constexpr uint16_t kVersion = 1;
constexpr uint8_t kAes256Gcm = 1;
constexpr uint8_t kHkdfHmacSha256 = 1;
constexpr uint8_t kCmsAuthEnveloped = 1;

// Numbers are big-endian.
template <typename T>
T Get(Bytes bytes, size_t at) {
  T value = 0;
  for (size_t i = 0; i < sizeof(T); ++i) {
    value = static_cast<T>((uint64_t{value} << 8U) | std::to_integer<uint64_t>(bytes[at + i]));
  }
  return value;
}

template <typename T>
void Put(std::span<std::byte> bytes, size_t at, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) {
    bytes[at + i] = static_cast<std::byte>(uint64_t{value} >> (8 * (sizeof(T) - 1 - i)));
  }
}

absl::Status CheckAlgorithm(std::string_view field, Bytes head, size_t at, uint8_t known,
                            std::string_view meaning) {
  const auto met = Get<uint8_t>(head, at);
  return met == known ? absl::OkStatus()
                      : InvalidArgument("sealed header: {} is {}, expected {} ({})", field, met,
                                        known, meaning);
}

absl::Status CheckFixed(Bytes head) {
  if (!IsSealed(head)) {
    return InvalidArgument(
        "not a sealed file: it does not begin with the mark of one (\\x89OMSEAL)");
  }
  if (head.size() < kKeySectionOffset) {
    return InvalidArgument("sealed header: cut off after {} bytes, expected at least {}",
                           head.size(), kKeySectionOffset);
  }
  if (const auto version = Get<uint16_t>(head, 8); version != kVersion) {
    return Unimplemented("sealed header: version {}, this release reads version {}", version,
                         kVersion);
  }
  RETURN_IF_ERROR(CheckAlgorithm("cipher", head, 10, kAes256Gcm, "AES-256-GCM"));
  RETURN_IF_ERROR(CheckAlgorithm("key derivation", head, 11, kHkdfHmacSha256, "HKDF-SHA256"));
  RETURN_IF_ERROR(CheckAlgorithm("key section form", head, 12, kCmsAuthEnveloped, "CMS"));
  constexpr size_t kReserved[] = {13, 14, 15, 20, 21, 22, 23};
  for (const size_t at : kReserved) {
    if (head[at] != std::byte{0}) {
      return InvalidArgument("sealed header: reserved byte {} is {}, expected 0", at,
                             Get<uint8_t>(head, at));
    }
  }
  return absl::OkStatus();
}

}  // namespace

bool IsSealed(Bytes head) {
  return head.size() >= kMagic.size() &&
         std::equal(kMagic.begin(), kMagic.end(), head.begin(),
                    [](char a, std::byte b) { return static_cast<std::byte>(a) == b; });
}

absl::Status Header::Validate() const {
  if (!std::has_single_bit(chunk_bytes) || chunk_bytes < kLeastChunkBytes ||
      chunk_bytes > kMostChunkBytes) {
    return InvalidArgument("sealed header: chunk size {}, expected a power of two from {} to {}",
                           chunk_bytes, kLeastChunkBytes, kMostChunkBytes);
  }
  if (plain_bytes / chunk_bytes >= kMostChunks) {
    return InvalidArgument("sealed header: plain size {}, expected less than {} chunks of {} bytes",
                           plain_bytes, kMostChunks, chunk_bytes);
  }
  if (key_section.empty() || key_section.size() > kMostKeySectionBytes) {
    return InvalidArgument("sealed header: key section of {} bytes, expected 1 to {}",
                           key_section.size(), kMostKeySectionBytes);
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> Header::NeededBytes(Bytes head) {
  RETURN_IF_ERROR(CheckFixed(head));
  const auto length = Get<uint32_t>(head, kKeySectionOffset - 4);
  if (length == 0 || length > kMostKeySectionBytes) {
    return InvalidArgument("sealed header: key section of {} bytes, expected 1 to {}", length,
                           kMostKeySectionBytes);
  }
  return kKeySectionOffset + length + kMacBytes;
}

absl::StatusOr<Header> Header::Parse(Bytes head) {
  ASSIGN_OR_RETURN(const size_t needed, NeededBytes(head));
  if (head.size() < needed) {
    return InvalidArgument("key section: the file ends after {} bytes, expected at least {}",
                           head.size(), needed);
  }
  Header header{.chunk_bytes = Get<uint32_t>(head, 16), .plain_bytes = Get<uint64_t>(head, 24)};
  const Bytes key_section = head.subspan(kKeySectionOffset, needed - kMacBytes - kKeySectionOffset);
  std::ranges::copy(head.subspan(32, kFileIdBytes), header.file_id.begin());
  std::ranges::copy(head.subspan(kFixedHeaderBytes, kMacBytes), header.mac.begin());
  header.key_section.assign(key_section.begin(), key_section.end());
  std::ranges::copy(head.subspan(needed - kMacBytes, kMacBytes), header.key_section_mac.begin());
  RETURN_IF_ERROR(header.Validate());
  return header;
}

std::array<std::byte, kFixedHeaderBytes> Header::Fixed() const {
  std::array<std::byte, kFixedHeaderBytes> fixed{};
  std::ranges::copy(std::as_bytes(std::span(kMagic)), fixed.begin());
  Put(fixed, 8, kVersion);
  Put(fixed, 10, kAes256Gcm);
  Put(fixed, 11, kHkdfHmacSha256);
  Put(fixed, 12, kCmsAuthEnveloped);
  Put(fixed, 16, chunk_bytes);
  Put(fixed, 24, plain_bytes);
  std::ranges::copy(file_id, fixed.begin() + 32);
  return fixed;
}

std::vector<std::byte> Header::Encode() const {
  std::vector<std::byte> bytes(kKeySectionOffset);
  std::ranges::copy(Fixed(), bytes.begin());
  std::ranges::copy(mac, bytes.begin() + kFixedHeaderBytes);
  Put(bytes, kKeySectionOffset - 4, static_cast<uint32_t>(key_section.size()));
  bytes.insert(bytes.end(), key_section.begin(), key_section.end());
  bytes.insert(bytes.end(), key_section_mac.begin(), key_section_mac.end());
  return bytes;
}

uint64_t Header::chunk_count() const {
  return plain_bytes == 0 ? 1 : (plain_bytes - 1) / chunk_bytes + 1;
}

size_t Header::PlainBytesOf(uint64_t chunk) const {
  return static_cast<size_t>(
      std::min<uint64_t>(chunk_bytes, plain_bytes - chunk * uint64_t{chunk_bytes}));
}

uint64_t Header::OffsetOf(uint64_t chunk) const {
  return chunks_offset() + chunk * (uint64_t{chunk_bytes} + kTagBytes);
}

}  // namespace omserve::sealed
