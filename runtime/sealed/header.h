// SPDX-License-Identifier: Apache-2.0
// The beginning of a sealed file, as docs/sealed-format.md has it: the fixed header and its MAC,
// the key section and its MAC. Here are only positions and bounds; nothing is believed before the
// MACs were checked (file_keys.h).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve::sealed {

inline constexpr size_t kFixedHeaderBytes = 64;
inline constexpr size_t kMacBytes = 32;
inline constexpr size_t kTagBytes = 16;
inline constexpr size_t kFileIdBytes = 32;
// Fixed header, its MAC, and the length of the key section.
inline constexpr size_t kKeySectionOffset = kFixedHeaderBytes + kMacBytes + 4;
inline constexpr uint32_t kLeastChunkBytes = 4096;
inline constexpr uint32_t kMostChunkBytes = 64U << 20U;
// Of 64 recipients with keys of RSA-16384, and no more: it is read before anything is known.
inline constexpr uint32_t kMostKeySectionBytes = 256U << 10U;
inline constexpr uint64_t kMostChunks = uint64_t{1} << 32U;  // Counted in 4 bytes of the nonce.

// Whether a file that begins so is a sealed one, of any version. 8 bytes are enough.
bool IsSealed(std::span<const std::byte> head);

// A value.
struct Header {
  uint32_t chunk_bytes = 0;
  uint64_t plain_bytes = 0;
  std::array<std::byte, kFileIdBytes> file_id{};
  std::array<std::byte, kMacBytes> mac{};
  std::vector<std::byte> key_section;  // CMS in DER.
  std::array<std::byte, kMacBytes> key_section_mac{};

  // How many bytes Parse needs of a file that begins with `head`, at least kKeySectionOffset of it.
  // Errors as Parse.
  static absl::StatusOr<size_t> NeededBytes(std::span<const std::byte> head);
  // Reads the beginning of a file; bytes behind it are not looked at. Errors: kInvalidArgument,
  // naming the field, what was found and what is expected; kUnimplemented for another version.
  static absl::StatusOr<Header> Parse(std::span<const std::byte> head);

  // The first 64 bytes, which every chunk is bound to.
  std::array<std::byte, kFixedHeaderBytes> Fixed() const;
  // All of it; Parse reads the same from it.
  std::vector<std::byte> Encode() const;
  // kInvalidArgument for sizes that a file cannot have.
  absl::Status Validate() const;

  // Where the first chunk begins.
  uint64_t chunks_offset() const { return kKeySectionOffset + key_section.size() + kMacBytes; }
  // At least 1: an empty file is one empty chunk, whose tag says that it is empty.
  uint64_t chunk_count() const;
  // Plain bytes of a chunk; all have chunk_bytes but the last. Requires: chunk < chunk_count().
  size_t PlainBytesOf(uint64_t chunk) const;
  // Where a chunk begins in the file.
  uint64_t OffsetOf(uint64_t chunk) const;
  // What the whole file must have.
  uint64_t file_bytes() const { return chunks_offset() + plain_bytes + chunk_count() * kTagBytes; }
};

}  // namespace omserve::sealed
