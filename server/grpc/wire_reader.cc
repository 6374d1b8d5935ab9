// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/wire_reader.h"

#include <google/protobuf/stubs/common.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>

namespace omserve::server {
namespace {

// Fixed numbers are little-endian and so are we.
static_assert(std::endian::native == std::endian::little);

constexpr int kVarintBytes = 10;
constexpr int kTagBytes = 5;
// The generated parser takes no length that could overflow an int together with its slack.
constexpr uint64_t kMostLength = std::numeric_limits<int>::max() - 16;

const uint8_t* Bytes(const std::byte* bytes) {
  return static_cast<const uint8_t*>(static_cast<const void*>(bytes));
}

}  // namespace

bool IsWireString(const std::string& text) {
  return google::protobuf::internal::IsStructurallyValidUTF8(text.data(),
                                                             static_cast<int>(text.size()));
}

WireReader::WireReader(std::span<const std::span<const std::byte>> pieces) : pieces_(pieces) {
  size_t total = 0;
  for (const std::span<const std::byte>& piece : pieces) {
    total += piece.size();
  }
  if (total > 0) {
    at_ = Bytes(pieces_[0].data());
    piece_end_ = at_ + pieces_[0].size();
    Limit(total);
  }
}

WireReader::WireReader(std::span<const std::span<const std::byte>> pieces, const Range& range)
    : pieces_(pieces), piece_(range.piece) {
  if (range.size_bytes > 0) {
    at_ = Bytes(pieces_[piece_].data()) + range.offset;
    piece_end_ = Bytes(pieces_[piece_].data()) + pieces_[piece_].size();
    Limit(range.size_bytes);
  }
}

void WireReader::Limit(size_t size_bytes) {
  const size_t here = std::min(size_bytes, static_cast<size_t>(piece_end_ - at_));
  stop_ = at_ + here;
  beyond_ = size_bytes - here;
}

void WireReader::NextPiece() {
  const size_t left = beyond_;
  do {
    ++piece_;
  } while (pieces_[piece_].empty());
  at_ = Bytes(pieces_[piece_].data());
  piece_end_ = at_ + pieces_[piece_].size();
  Limit(left);
}

bool WireReader::NextByte(uint8_t* byte) {
  if (at_ == stop_) {
    if (beyond_ == 0) {
      return false;
    }
    NextPiece();
  }
  *byte = *at_++;
  return true;
}

bool WireReader::ReadTag(uint32_t* tag) {
  if (at_ != stop_ && *at_ < 0x80) {
    *tag = *at_++;
    return *tag != 0;
  }
  // Bits that do not fit into 32 are dropped, a sixth byte is an error.
  uint32_t result = 0;
  for (int i = 0; i < kTagBytes; ++i) {
    uint8_t byte = 0;
    if (!NextByte(&byte)) {
      return false;
    }
    result |= static_cast<uint32_t>(byte & 0x7fU) << (7 * i);
    if (byte < 0x80) {
      *tag = result;
      return result != 0;
    }
  }
  return false;
}

bool WireReader::ReadVarint(uint64_t* value) {
  if (at_ != stop_ && *at_ < 0x80) {
    *value = *at_++;
    return true;
  }
  return ReadVarintSlowly(value);
}

bool WireReader::ReadVarintSlowly(uint64_t* value) {
  uint64_t result = 0;
  for (int i = 0; i < kVarintBytes; ++i) {
    uint8_t byte = 0;
    if (!NextByte(&byte)) {
      return false;
    }
    result |= static_cast<uint64_t>(byte & 0x7fU) << (7 * i);
    if (byte < 0x80) {
      *value = result;
      return true;
    }
  }
  return false;
}

bool WireReader::ReadLength(size_t* size_bytes) {
  uint64_t result = 0;
  for (int i = 0; i < kTagBytes; ++i) {
    uint8_t byte = 0;
    if (!NextByte(&byte)) {
      return false;
    }
    result |= static_cast<uint64_t>(byte & 0x7fU) << (7 * i);
    if (byte < 0x80) {
      *size_bytes = result;
      return result <= kMostLength && result <= bytes_left();
    }
  }
  return false;
}

bool WireReader::Copy(void* to, size_t size_bytes) {
  if (size_bytes > bytes_left()) {
    return false;
  }
  auto* out = static_cast<uint8_t*>(to);
  while (size_bytes > 0) {
    if (at_ == stop_) {
      NextPiece();
    }
    const size_t here = std::min(size_bytes, static_cast<size_t>(stop_ - at_));
    std::memcpy(out, at_, here);
    at_ += here;
    out += here;
    size_bytes -= here;
  }
  return true;
}

bool WireReader::Skip(size_t size_bytes) {
  if (size_bytes > bytes_left()) {
    return false;
  }
  while (size_bytes > static_cast<size_t>(stop_ - at_)) {
    size_bytes -= static_cast<size_t>(stop_ - at_);
    NextPiece();
  }
  at_ += size_bytes;
  return true;
}

bool WireReader::ReadBytes(std::string* text) {
  size_t size_bytes = 0;
  if (!ReadLength(&size_bytes)) {
    return false;
  }
  text->resize(size_bytes);
  return Copy(text->data(), size_bytes);
}

bool WireReader::ReadPieces(WirePieces* pieces) {
  size_t size_bytes = 0;
  if (!ReadLength(&size_bytes)) {
    return false;
  }
  while (size_bytes > 0) {
    if (at_ == stop_) {
      NextPiece();
    }
    const size_t here = std::min(size_bytes, static_cast<size_t>(stop_ - at_));
    pieces->push_back(std::as_bytes(std::span(at_, here)));
    at_ += here;
    size_bytes -= here;
  }
  return true;
}

bool WireReader::SkipField(uint32_t tag, int depth) {
  if (tag >> 3 == 0) {
    return false;
  }
  switch (static_cast<WireType>(tag & 7)) {
    case WireType::kVarint: {
      uint64_t ignored = 0;
      return ReadVarint(&ignored);
    }
    case WireType::kFixed64:
      return Skip(sizeof(uint64_t));
    case WireType::kFixed32:
      return Skip(sizeof(uint32_t));
    case WireType::kLength: {
      size_t size_bytes = 0;
      return ReadLength(&size_bytes) && Skip(size_bytes);
    }
    case WireType::kStartGroup:
      return SkipGroup(tag >> 3, depth);
    case WireType::kEndGroup:
      break;
  }
  return false;
}

bool WireReader::SkipGroup(uint32_t field, int depth) {
  if (depth <= 0) {
    return false;
  }
  while (!at_end()) {
    uint32_t tag = 0;
    if (!ReadTag(&tag)) {
      return false;
    }
    if ((tag & 7) == static_cast<uint32_t>(WireType::kEndGroup)) {
      return tag >> 3 == field;
    }
    if (!SkipField(tag, depth - 1)) {
      return false;
    }
  }
  return false;
}

void WireReader::Enter(size_t size_bytes, size_t* outer) {
  *outer = bytes_left() - size_bytes;
  Limit(size_bytes);
}

void WireReader::Leave(size_t outer) { Limit(outer); }

WireReader::Range WireReader::RangeOf(size_t size_bytes) {
  if (at_ == stop_ && beyond_ > 0) {
    NextPiece();
  }
  const size_t offset =
      size_bytes == 0 ? 0 : static_cast<size_t>(at_ - Bytes(pieces_[piece_].data()));
  return {piece_, offset, size_bytes};
}

}  // namespace omserve::server
