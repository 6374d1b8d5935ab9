// SPDX-License-Identifier: Apache-2.0
// Reads ZIP archives from memory: the central directory, and entries that are stored or deflated,
// with the 64-bit extension. Nothing is trusted: every offset, size and checksum is checked, and an
// entry unpacks to no more bytes than the caller allows.
//
// Source: PKWARE's APPNOTE.TXT 6.3.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve::om {

struct ZipEntry {
  std::string name;  // As stored: any bytes.
  uint16_t flags = 0;
  uint16_t method = 0;    // 0 stored, 8 deflated.
  uint32_t checksum = 0;  // CRC-32 of the contents.
  uint64_t packed_bytes = 0;
  uint64_t bytes = 0;
  uint64_t header_offset = 0;
};

// A view, valid as long as the bytes it was parsed from. Thread-compatible.
class ZipArchive final {
 public:
  // Reads the directory; entries are looked at when they are read. Errors: kInvalidArgument saying
  // what is wrong at which byte.
  static absl::StatusOr<ZipArchive> Parse(std::span<const std::byte> bytes);

  // In the order of the directory.
  std::span<const ZipEntry> entries() const { return entries_; }
  // The first of that name; null when there is none.
  const ZipEntry* Find(std::string_view name) const;

  // The entry's contents, unpacked. `entry` is one of entries(). Errors: kInvalidArgument for an
  // entry that is longer than `limit_bytes`, damaged, encrypted or packed in another way.
  absl::StatusOr<std::string> Read(const ZipEntry& entry, size_t limit_bytes) const;

 private:
  std::span<const std::byte> bytes_;
  std::vector<ZipEntry> entries_;
};

}  // namespace omserve::om
