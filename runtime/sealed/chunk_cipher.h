// SPDX-License-Identifier: Apache-2.0
// One chunk at a time, sealed and opened: AES-256-GCM with the nonce and the associated data of
// docs/sealed-format.md, in the manner of STREAM.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "absl/status/statusor.h"
#include "runtime/sealed/file_keys.h"
#include "runtime/sealed/header.h"
#include "runtime/sealed/openssl_handles.h"

namespace omserve::sealed {

// Confined to one thread at a time; each thread that works on a file has one of its own.
class ChunkCipher final {
 public:
  // Errors: kInternal, when OpenSSL has no AES-256-GCM.
  static absl::StatusOr<ChunkCipher> ForSealing(const FileKeys& keys, const Header& header);
  static absl::StatusOr<ChunkCipher> ForOpening(const FileKeys& keys, const Header& header);

  // `to` and `from` have the chunk's plain size, and may be the same bytes. Requires: each chunk is
  // sealed once. Errors: kInternal.
  absl::Status Seal(uint64_t chunk, std::span<const std::byte> from, std::span<std::byte> to,
                    std::span<std::byte, kTagBytes> tag);
  // As above. Errors: kInvalidArgument when the tag does not fit, which says which chunk; then `to`
  // holds bytes that must not be used and are the caller's to wipe.
  absl::Status Open(uint64_t chunk, std::span<const std::byte> from,
                    std::span<const std::byte, kTagBytes> tag, std::span<std::byte> to);

 private:
  ChunkCipher(CipherContext context, const Header& header);
  static absl::StatusOr<ChunkCipher> Make(const FileKeys& keys, const Header& header, bool seals);
  // Nonce, associated data and bytes; the tag is the caller's.
  bool Pass(uint64_t chunk, std::span<const std::byte> from, std::span<std::byte> to);

  CipherContext context_;
  std::array<std::byte, kFixedHeaderBytes> fixed_header_;
  uint64_t chunk_count_;
  uint64_t first_offset_;
  uint64_t chunk_bytes_;
};

}  // namespace omserve::sealed
