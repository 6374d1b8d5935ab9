// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/zip_archive.h"

#define ZLIB_CONST  // The input is const.
#include <zlib.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/om/byte_reader.h"
#include "runtime/om/utf8.h"

namespace omserve::om {
namespace {

constexpr uint32_t kLocalHeaderMagic = 0x04034b50;
constexpr uint32_t kDirectoryMagic = 0x02014b50;
constexpr uint32_t kEndMagic = 0x06054b50;
constexpr uint32_t kEnd64Magic = 0x06064b50;
constexpr uint32_t kLocator64Magic = 0x07064b50;
constexpr size_t kLocalHeaderBytes = 30;
constexpr size_t kDirectoryEntryBytes = 46;
constexpr size_t kEndBytes = 22;
constexpr size_t kEnd64Bytes = 56;
constexpr size_t kLocator64Bytes = 20;
constexpr size_t kMostCommentBytes = 0xFFFF;
constexpr uint64_t kMostEntries = 65536;  // An om2 file has some hundred.
constexpr uint16_t kExtra64 = 0x0001;
constexpr uint16_t kFlagEncrypted = 1;
constexpr uint16_t kStored = 0;
constexpr uint16_t kDeflated = 8;
// In a 32-bit field: the number stands in the 64-bit extension.
constexpr uint32_t kSee64 = 0xFFFFFFFF;

using Bytes = std::span<const std::byte>;

// `size` bytes at `offset`; nullopt when they are not all there.
std::optional<Bytes> Slice(Bytes bytes, uint64_t offset, uint64_t size) {
  if (offset > bytes.size() || size > bytes.size() - offset) {
    return std::nullopt;
  }
  return bytes.subspan(static_cast<size_t>(offset), static_cast<size_t>(size));
}

struct Directory {
  uint64_t count = 0;
  uint64_t size_bytes = 0;
  uint64_t offset = 0;
};

// The record that ends the archive, behind which only a comment may stand.
std::optional<size_t> FindEnd(Bytes bytes) {
  if (bytes.size() < kEndBytes) {
    return std::nullopt;
  }
  const size_t last = bytes.size() - kEndBytes;
  const size_t first = last - std::min(last, kMostCommentBytes);
  for (size_t at = last + 1; at-- > first;) {
    if (FieldAt<uint32_t>(bytes, at) == kEndMagic &&
        FieldAt<uint16_t>(bytes, at + 20) == last - at) {
      return at;
    }
  }
  return std::nullopt;
}

absl::StatusOr<Directory> FindDirectory(Bytes bytes) {
  const std::optional<size_t> end = FindEnd(bytes);
  if (!end.has_value()) {
    return InvalidArgument(
        "archive: no end record in the last {} of its {} bytes: the file is cut, copy it again",
        kEndBytes + kMostCommentBytes, bytes.size());
  }
  Directory directory{.count = FieldAt<uint16_t>(bytes, *end + 10),
                      .size_bytes = FieldAt<uint32_t>(bytes, *end + 12),
                      .offset = FieldAt<uint32_t>(bytes, *end + 16)};
  // The 64-bit record stands before the end record, and a locator between them says where.
  const auto locator = *end >= kLocator64Bytes
                           ? Slice(bytes, *end - kLocator64Bytes, kLocator64Bytes)
                           : std::nullopt;
  if (locator.has_value() && FieldAt<uint32_t>(*locator, 0) == kLocator64Magic) {
    const auto at = FieldAt<uint64_t>(*locator, 8);
    const auto record = Slice(bytes, at, kEnd64Bytes);
    if (!record.has_value() || FieldAt<uint32_t>(*record, 0) != kEnd64Magic) {
      return InvalidArgument("archive: its 64-bit end record is not at byte {}: it is damaged", at);
    }
    directory = {.count = FieldAt<uint64_t>(*record, 32),
                 .size_bytes = FieldAt<uint64_t>(*record, 40),
                 .offset = FieldAt<uint64_t>(*record, 48)};
  }
  if (directory.count > kMostEntries) {
    return InvalidArgument("archive: {} entries, at most {} are read", directory.count,
                           kMostEntries);
  }
  return directory;
}

// Fills in what the 32-bit fields leave to the extension, which holds only those, in this order.
bool ReadExtra64(Bytes extra, ZipEntry& entry) {
  ByteReader reader(extra);
  while (reader.remaining() > 0) {
    const auto id = reader.Read<uint16_t>();
    const auto size = reader.Read<uint16_t>();
    const auto data = size.has_value() ? reader.Take(*size) : std::nullopt;
    if (!data.has_value()) {
      return false;
    }
    if (*id != kExtra64) {
      continue;
    }
    ByteReader numbers(*data);
    for (uint64_t* const field : {&entry.bytes, &entry.packed_bytes, &entry.header_offset}) {
      if (*field != kSee64) {
        continue;
      }
      const auto number = numbers.Read<uint64_t>();
      if (!number.has_value()) {
        return false;
      }
      *field = *number;
    }
    return true;
  }
  return true;
}

std::optional<ZipEntry> ReadDirectoryEntry(ByteReader& reader) {
  const auto fixed = reader.Take(kDirectoryEntryBytes);
  if (!fixed.has_value() || FieldAt<uint32_t>(*fixed, 0) != kDirectoryMagic) {
    return std::nullopt;
  }
  const auto name = reader.Take(FieldAt<uint16_t>(*fixed, 28));
  const auto extra = reader.Take(FieldAt<uint16_t>(*fixed, 30));
  const auto comment = reader.Take(FieldAt<uint16_t>(*fixed, 32));
  if (!name.has_value() || !extra.has_value() || !comment.has_value()) {
    return std::nullopt;
  }
  ZipEntry entry{.name = std::string(AsText(*name)),
                 .flags = FieldAt<uint16_t>(*fixed, 8),
                 .method = FieldAt<uint16_t>(*fixed, 10),
                 .checksum = FieldAt<uint32_t>(*fixed, 16),
                 .packed_bytes = FieldAt<uint32_t>(*fixed, 20),
                 .bytes = FieldAt<uint32_t>(*fixed, 24),
                 .header_offset = FieldAt<uint32_t>(*fixed, 42)};
  if (!ReadExtra64(*extra, entry)) {
    return std::nullopt;
  }
  return entry;
}

// The packed bytes behind the entry's own header, whose name and extra fields may differ in length
// from the directory's.
absl::StatusOr<Bytes> PackedBytes(Bytes archive, const ZipEntry& entry) {
  const auto header = Slice(archive, entry.header_offset, kLocalHeaderBytes);
  if (!header.has_value() || FieldAt<uint32_t>(*header, 0) != kLocalHeaderMagic) {
    return InvalidArgument("no header at byte {}: the file is damaged", entry.header_offset);
  }
  const uint64_t at = entry.header_offset + kLocalHeaderBytes + FieldAt<uint16_t>(*header, 26) +
                      FieldAt<uint16_t>(*header, 28);
  const auto packed = Slice(archive, at, entry.packed_bytes);
  if (!packed.has_value()) {
    return InvalidArgument("{} bytes at byte {} reach over the end of the file: it is damaged",
                           entry.packed_bytes, at);
  }
  return *packed;
}

// Exactly `size` bytes; nullopt when the packed bytes are damaged or hold more or fewer.
std::optional<std::string> Inflate(Bytes packed, size_t size) {
  z_stream stream{};
  constexpr int kRawDeflate = -MAX_WBITS;  // No zlib header.
  if (packed.size() > std::numeric_limits<uInt>::max() || size > std::numeric_limits<uInt>::max() ||
      inflateInit2(&stream, kRawDeflate) != Z_OK) {
    return std::nullopt;
  }
  std::string unpacked(size, '\0');
  stream.next_in = reinterpret_cast<const Bytef*>(packed.data());
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(unpacked.data());
  stream.avail_out = static_cast<uInt>(size);
  const int result = inflate(&stream, Z_FINISH);
  const bool whole = result == Z_STREAM_END && stream.total_out == size;
  inflateEnd(&stream);
  if (!whole) {
    return std::nullopt;
  }
  return unpacked;
}

uint32_t ChecksumOf(std::string_view contents) {
  return static_cast<uint32_t>(
      crc32_z(0, reinterpret_cast<const Bytef*>(contents.data()), contents.size()));
}

absl::StatusOr<std::string> Unpack(Bytes archive, const ZipEntry& entry, size_t limit_bytes) {
  if (entry.bytes > limit_bytes) {
    return InvalidArgument("{} bytes, at most {} are read", entry.bytes, limit_bytes);
  }
  if ((entry.flags & kFlagEncrypted) != 0) {
    return InvalidArgument("it is encrypted, only plain entries can be read");
  }
  ASSIGN_OR_RETURN(const Bytes packed, PackedBytes(archive, entry));
  std::optional<std::string> contents;
  if (entry.method == kStored) {
    if (packed.size() == entry.bytes) {
      contents = std::string(AsText(packed));
    }
  } else if (entry.method == kDeflated) {
    contents = Inflate(packed, static_cast<size_t>(entry.bytes));
  } else {
    return InvalidArgument("it is packed by method {}, expected {} (stored) or {} (deflated)",
                           entry.method, kStored, kDeflated);
  }
  if (!contents.has_value()) {
    return InvalidArgument("its {} packed bytes do not give the {} that it has: it is damaged",
                           packed.size(), entry.bytes);
  }
  const uint32_t sum = ChecksumOf(*contents);
  if (sum != entry.checksum) {
    return InvalidArgument("its checksum is {:#010x}, expected {:#010x}: it is damaged", sum,
                           entry.checksum);
  }
  return *std::move(contents);
}

}  // namespace

absl::StatusOr<ZipArchive> ZipArchive::Parse(Bytes bytes) {
  ASSIGN_OR_RETURN(const Directory directory, FindDirectory(bytes));
  const auto records = Slice(bytes, directory.offset, directory.size_bytes);
  if (!records.has_value()) {
    return InvalidArgument(
        "archive: its directory of {} bytes at byte {} reaches over the end at {}: it is damaged",
        directory.size_bytes, directory.offset, bytes.size());
  }
  ZipArchive archive;
  archive.bytes_ = bytes;
  ByteReader reader(*records);
  for (uint64_t i = 0; i < directory.count; ++i) {
    const size_t at = reader.position();
    std::optional<ZipEntry> entry = ReadDirectoryEntry(reader);
    if (!entry.has_value()) {
      return InvalidArgument("archive: entry {} of its directory, at byte {}, is damaged", i,
                             directory.offset + at);
    }
    archive.entries_.push_back(*std::move(entry));
  }
  return archive;
}

const ZipEntry* ZipArchive::Find(std::string_view name) const {
  const auto found = std::ranges::find(entries_, name, &ZipEntry::name);
  return found == entries_.end() ? nullptr : &*found;
}

absl::StatusOr<std::string> ZipArchive::Read(const ZipEntry& entry, size_t limit_bytes) const {
  absl::StatusOr<std::string> contents = Unpack(bytes_, entry, limit_bytes);
  if (!contents.ok()) {
    return WithContext(contents.status(), fmt::format("entry '{}'", PrintableText(entry.name)));
  }
  return contents;
}

}  // namespace omserve::om
