// SPDX-License-Identifier: Apache-2.0
// Protobuf's wire format over bytes that stand in pieces, as the network delivered them. Reads
// exactly what the generated parsers of protobuf 3.21 read: over-long varints, numbers with bits
// too many, groups, limits within limits.
//
// Source: protobuf's encoding, and the behaviour of its C++ parser where that is silent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace omserve::server {

using WirePieces = std::vector<std::span<const std::byte>>;

enum class WireType : uint32_t {
  kVarint = 0,
  kFixed64 = 1,
  kLength = 2,
  kStartGroup = 3,
  kEndGroup = 4,
  kFixed32 = 5,
};

constexpr uint32_t WireTag(uint32_t field, WireType type) {
  return field << 3 | static_cast<uint32_t>(type);
}

// Thread-compatible. Every Read returns false when the bytes end too early or are none of what is
// asked for; nothing can be read from it after that.
class WireReader final {
 public:
  // A place and the number of bytes from there that count, for another look at them later.
  struct Range {
    size_t piece = 0;
    size_t offset = 0;
    size_t size_bytes = 0;
  };

  // Neither the pieces nor the list of them is copied.
  explicit WireReader(std::span<const std::span<const std::byte>> pieces);
  WireReader(std::span<const std::span<const std::byte>> pieces, const Range& range);

  size_t bytes_left() const { return static_cast<size_t>(stop_ - at_) + beyond_; }
  bool at_end() const { return at_ == stop_ && beyond_ == 0; }

  // 0 is no tag, and so an error.
  bool ReadTag(uint32_t* tag);
  bool ReadVarint(uint64_t* value);
  bool ReadFixed32(uint32_t* value) { return Copy(value, sizeof(*value)); }
  bool ReadFixed64(uint64_t* value) { return Copy(value, sizeof(*value)); }
  // The length of what follows, all of which is there.
  bool ReadLength(size_t* size_bytes);
  bool Copy(void* to, size_t size_bytes);
  bool Skip(size_t size_bytes);
  // A length and so many bytes, copied to `text`.
  bool ReadBytes(std::string* text);
  // The same left where they are; appends to `pieces`, nothing for no bytes.
  bool ReadPieces(WirePieces* pieces);
  // A field that nobody knows. `depth`: how many more levels of groups there may be.
  bool SkipField(uint32_t tag, int depth);

  // The next `size_bytes` bytes, of which there are as many, as a message of their own: until
  // Leave, at_end() is their end. `outer` is for Leave, which requires at_end().
  void Enter(size_t size_bytes, size_t* outer);
  void Leave(size_t outer);
  // The next `size_bytes` bytes, of which there are as many.
  Range RangeOf(size_t size_bytes);

 private:
  // The next byte; false at the end. Goes on to the next piece.
  bool NextByte(uint8_t* byte);
  // Requires that the piece is used up and bytes are left beyond it.
  void NextPiece();
  // Makes `size_bytes` the number of bytes that are left.
  void Limit(size_t size_bytes);
  bool ReadVarintSlowly(uint64_t* value);
  bool SkipGroup(uint32_t field, int depth);

  std::span<const std::span<const std::byte>> pieces_;
  size_t piece_ = 0;                    // The one that holds at_.
  const uint8_t* at_ = nullptr;         // The next byte.
  const uint8_t* stop_ = nullptr;       // The end of the piece or of the limit, if that is sooner.
  const uint8_t* piece_end_ = nullptr;  // The end of the piece.
  size_t beyond_ = 0;                   // Bytes within the limit in later pieces.
};

// Whether `text` is what protobuf takes for a string.
bool IsWireString(const std::string& text);

}  // namespace omserve::server
