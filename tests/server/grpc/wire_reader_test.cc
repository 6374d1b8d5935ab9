// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/wire_reader.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace omserve::server {
namespace {

// `bytes` in pieces of `size`, with empty ones between.
class Pieces final {
 public:
  Pieces(std::string bytes, size_t size) : bytes_(std::move(bytes)) {
    const std::span<const std::byte> all = std::as_bytes(std::span(bytes_));
    for (size_t at = 0; at < all.size(); at += size) {
      pieces_.push_back(all.subspan(at, std::min(size, all.size() - at)));
      pieces_.push_back(all.subspan(0, 0));
    }
  }
  const WirePieces& get() const { return pieces_; }

 private:
  const std::string bytes_;
  WirePieces pieces_;
};

constexpr size_t kCuts[] = {1, 2, 3, 100};

// Numbers of every length, wherever the pieces are cut.
TEST_CASE("WireReader: numbers", "[wire_reader]") {
  const std::string bytes("\x01\xac\x02\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x01\x02\x03\x04",
                          17);
  for (const size_t cut : kCuts) {
    const Pieces pieces(bytes, cut);
    WireReader reader(pieces.get());
    uint64_t value = 0;
    REQUIRE(reader.ReadVarint(&value));
    CHECK(value == 1);
    REQUIRE(reader.ReadVarint(&value));
    CHECK(value == 300);
    REQUIRE(reader.ReadVarint(&value));
    CHECK(value == ~uint64_t{0});
    uint32_t fixed = 0;
    REQUIRE(reader.ReadFixed32(&fixed));
    CHECK(fixed == 0x04030201);
    CHECK(reader.at_end());
    CHECK_FALSE(reader.ReadVarint(&value));
  }
}

// A message within a message: the end of the inner one holds for every kind of read.
TEST_CASE("WireReader: limits", "[wire_reader]") {
  for (const size_t cut : kCuts) {
    const Pieces pieces("abcdefgh", cut);
    WireReader reader(pieces.get());
    REQUIRE(reader.Skip(1));
    size_t outer = 0;
    reader.Enter(4, &outer);
    CHECK(reader.bytes_left() == 4);
    uint64_t fixed = 0;
    CHECK_FALSE(reader.ReadFixed64(&fixed));
    CHECK_FALSE(reader.Skip(5));
    std::string text(4, '\0');
    REQUIRE(reader.Copy(text.data(), 4));
    CHECK(text == "bcde");
    CHECK(reader.at_end());
    reader.Leave(outer);
    CHECK(reader.bytes_left() == 3);
    REQUIRE(reader.Copy(text.data(), 3));
    CHECK(text == "fghe");
    CHECK(reader.at_end());
  }
}

// A range is read again from where it was.
TEST_CASE("WireReader: ranges", "[wire_reader]") {
  for (const size_t cut : kCuts) {
    const Pieces pieces("abcdefgh", cut);
    WireReader reader(pieces.get());
    REQUIRE(reader.Skip(2));
    const WireReader::Range range = reader.RangeOf(3);
    WireReader again(pieces.get(), range);
    std::string text(3, '\0');
    REQUIRE(again.Copy(text.data(), 3));
    CHECK(text == "cde");
    CHECK(again.at_end());
    CHECK(reader.bytes_left() == 6);
  }
}

// Bytes that are left where they are: one piece for each that holds some of them.
TEST_CASE("WireReader: pieces", "[wire_reader]") {
  const Pieces pieces(std::string("\x05hello\x00", 7), 3);
  WireReader reader(pieces.get());
  WirePieces found;
  REQUIRE(reader.ReadPieces(&found));
  REQUIRE(found.size() == 2);
  CHECK(found[0].data() == pieces.get()[0].data() + 1);
  CHECK(found[1].size() == 3);
  found.clear();
  REQUIRE(reader.ReadPieces(&found));
  CHECK(found.empty());
  CHECK(reader.at_end());
}

// Nothing at all, and nothing but empty pieces.
TEST_CASE("WireReader: no bytes", "[wire_reader]") {
  uint32_t tag = 0;
  CHECK_FALSE(WireReader({}).ReadTag(&tag));
  const WirePieces empty(3);
  WireReader reader(empty);
  CHECK(reader.at_end());
  CHECK_FALSE(reader.ReadTag(&tag));
}

}  // namespace
}  // namespace omserve::server
