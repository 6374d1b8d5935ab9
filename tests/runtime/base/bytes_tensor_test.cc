// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/bytes_tensor.h"

#include <array>
#include <catch2/catch.hpp>
#include <limits>

#include "tests/status_test_util.h"

namespace omserve {
namespace {

using Catch::Matchers::Contains;

std::span<const std::byte> Bytes(const std::string& text) { return std::as_bytes(std::span(text)); }

std::string Encode(std::initializer_list<std::string_view> elements) {
  std::string encoded;
  for (const std::string_view element : elements) {
    REQUIRE_OK(AppendBytesElement(element, &encoded));
  }
  return encoded;
}

std::string ErrorOf(const absl::Status& status) {
  REQUIRE(status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(status));
}

// An element is its length as four little-endian bytes and then itself, so "ab" is six bytes.
TEST_CASE("BYTES elements are encoded with a little-endian length") {
  CHECK(Encode({"ab"}) == std::string("\x02\0\0\0ab", 6));
  CHECK(Encode({"", "c"}) == std::string("\0\0\0\0\x01\0\0\0c", 9));
  CHECK(Encode({std::string(258, 'x')}).substr(0, 4) == std::string("\x02\x01\0\0", 4));
}

// Elements of any length and any bytes, zero among them, come back as they were.
TEST_CASE("BYTES elements survive encoding and decoding") {
  const std::string zeros("a\0b", 3);
  const std::string encoded = Encode({"first", "", zeros});
  const std::vector<std::string_view> elements = VALUE(DecodeBytesTensor(Bytes(encoded), 3));
  REQUIRE(elements.size() == 3);
  CHECK(elements[0] == "first");
  CHECK(elements[1].empty());
  CHECK(elements[2] == zeros);
}

// A tensor of no elements is no bytes.
TEST_CASE("An empty BYTES tensor has no elements") {
  REQUIRE_OK(CheckBytesTensor({}, 0));
  CHECK(VALUE(DecodeBytesTensor({}, 0)).empty());
}

// Fewer or more elements than the shape says are refused, and both numbers are named.
TEST_CASE("The number of BYTES elements must be that of the shape") {
  const std::string two = Encode({"a", "b"});
  CHECK_THAT(ErrorOf(CheckBytesTensor(Bytes(two), 3)), Contains("holds 2 elements, expected 3"));
  CHECK_THAT(ErrorOf(CheckBytesTensor(Bytes(two), 1)),
             Contains("bytes left after element 0, expected 1"));
  CHECK_THAT(ErrorOf(CheckBytesTensor(Bytes(two), -1)), Contains("-1 elements"));
}

// A length or an element that the bytes end in is refused, and the element is named.
TEST_CASE("Cut BYTES elements are refused") {
  const std::string encoded = Encode({"a", "bcd"});
  CHECK_THAT(ErrorOf(CheckBytesTensor(Bytes(encoded.substr(0, 7)), 2)),
             Contains("element 1: 2 bytes are left, expected 4"));
  CHECK_THAT(ErrorOf(CheckBytesTensor(Bytes(encoded.substr(0, 11)), 2)),
             Contains("element 1: its length is 3, but only 2 bytes are left"));
}

// The largest length a client can claim neither wraps around nor is believed.
TEST_CASE("A huge BYTES length is refused without reading or reserving") {
  const std::string huge("\xff\xff\xff\xff", 4);
  CHECK_THAT(ErrorOf(DecodeBytesTensor(Bytes(huge), 1).status()), Contains("4294967295"));
  CHECK_FALSE(DecodeBytesTensor(Bytes(huge), std::numeric_limits<int64_t>::max()).ok());
}

// Reading beyond the last element is an error rather than an empty element.
TEST_CASE("A reader at its end gives no more elements") {
  const std::string one = Encode({"x"});
  BytesTensorReader reader(Bytes(one));
  CHECK(VALUE(reader.Next()) == "x");
  CHECK(reader.AtEnd());
  CHECK_FALSE(reader.Next().ok());
}

// A buffer of exactly the right size takes the elements; the next one is refused and changes
// nothing.
TEST_CASE("A writer stays inside its buffer") {
  std::array<std::byte, 9> buffer{};
  BytesTensorWriter writer(buffer);
  REQUIRE_OK(writer.Append("hello"));
  CHECK(writer.bytes_used() == EncodedBytesSize("hello"));
  const absl::Status full = writer.Append("");
  CHECK(full.code() == absl::StatusCode::kInternal);
  CHECK(writer.bytes_used() == 9);
  CHECK(VALUE(DecodeBytesTensor(buffer, 1)).front() == "hello");
}

}  // namespace
}  // namespace omserve
