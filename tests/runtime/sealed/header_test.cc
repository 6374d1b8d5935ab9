// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/header.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "tests/runtime/sealed/sealed_samples.h"

namespace omserve::sealed {
namespace {

using Catch::Matchers::Contains;

Header SampleHeader() {
  Header header{.chunk_bytes = 1U << 16U, .plain_bytes = 100'000};
  header.file_id.fill(std::byte{7});
  header.key_section.assign(10, std::byte{1});
  return header;
}

std::string ParseError(const std::vector<std::byte>& bytes) {
  const absl::StatusOr<Header> header = Header::Parse(bytes);
  return header.ok() ? "OK" : std::string(MessageOf(header.status()));
}

std::string ErrorWith(size_t at, unsigned value) {
  std::vector<std::byte> bytes = SampleHeader().Encode();
  bytes[at] = static_cast<std::byte>(value);
  return ParseError(bytes);
}

// What is written is read again, and says where everything stands.
TEST_CASE("A header is read as it was written", "[header]") {
  const Header header = SampleHeader();
  const std::vector<std::byte> bytes = header.Encode();
  const Header read = VALUE(Header::Parse(bytes));
  CHECK(read.Encode() == bytes);
  CHECK(VALUE(Header::NeededBytes(bytes)) == bytes.size());
  CHECK(read.plain_bytes == 100'000);
  CHECK(read.chunk_count() == 2);
  CHECK(read.PlainBytesOf(0) == 65'536);
  CHECK(read.PlainBytesOf(1) == 34'464);
  CHECK(read.chunks_offset() == 142);
  CHECK(read.OffsetOf(1) == 142 + 65'536 + 16);
  CHECK(read.file_bytes() == 142 + 100'000 + 32);
}

// Every size has its chunks; none is one chunk of nothing.
TEST_CASE("Chunks of a size", "[header]") {
  Header header = SampleHeader();
  header.plain_bytes = 0;
  CHECK(header.chunk_count() == 1);
  CHECK(header.PlainBytesOf(0) == 0);
  header.plain_bytes = header.chunk_bytes;
  CHECK(header.chunk_count() == 1);
  header.plain_bytes = header.chunk_bytes + 1;
  CHECK(header.chunk_count() == 2);
  CHECK(header.PlainBytesOf(1) == 1);
}

// The first eight bytes tell a sealed file from every other.
TEST_CASE("What is sealed is recognised", "[header]") {
  const std::vector<std::byte> bytes = SampleHeader().Encode();
  CHECK(IsSealed(bytes));
  CHECK(IsSealed(std::span(bytes).first(8)));
  CHECK_FALSE(IsSealed(std::span(bytes).first(7)));
  CHECK_FALSE(IsSealed({}));
  CHECK_FALSE(IsSealed(BytesOf("IMOD and more")));
}

// Each field that cannot be is named, with what was found and what is expected.
TEST_CASE("A header is read strictly", "[header]") {
  CHECK_THAT(ErrorWith(0, 0), Contains("not a sealed file"));
  CHECK_THAT(ErrorWith(9, 2), Contains("version 2, this release reads version 1"));
  CHECK_THAT(ErrorWith(10, 9), Contains("cipher is 9, expected 1 (AES-256-GCM)"));
  CHECK_THAT(ErrorWith(11, 0), Contains("key derivation is 0, expected 1 (HKDF-SHA256)"));
  CHECK_THAT(ErrorWith(12, 3), Contains("key section form is 3, expected 1 (CMS)"));
  CHECK_THAT(ErrorWith(14, 1), Contains("reserved byte 14 is 1, expected 0"));
  CHECK_THAT(ErrorWith(22, 1), Contains("reserved byte 22 is 1, expected 0"));
  CHECK_THAT(ErrorWith(19, 1), Contains("chunk size 65537, expected a power of two from 4096"));
  CHECK_THAT(ErrorWith(16, 0x80), Contains("expected a power of two"));
  CHECK_THAT(ErrorWith(24, 0xff), Contains("plain size"));
  CHECK_THAT(ErrorWith(96, 0xff), Contains("key section of 4278190090 bytes, expected 1 to"));
  CHECK_THAT(ErrorWith(99, 0), Contains("key section of 0 bytes"));
  CHECK_THAT(ErrorWith(99, 11), Contains("ends after 142 bytes, expected at least 143"));
}

// A file that ends within the header is told so, wherever it ends.
TEST_CASE("A header that is cut off is refused", "[header]") {
  const std::vector<std::byte> bytes = SampleHeader().Encode();
  for (size_t size = 0; size < bytes.size(); ++size) {
    const std::string error =
        ParseError({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)});
    CAPTURE(size, error);
    CHECK((error.find("not a sealed file") != std::string::npos) == (size < 8));
    CHECK((error.find("cut off") != std::string::npos) == (size >= 8 && size < kKeySectionOffset));
    CHECK((error.find("ends after") != std::string::npos) == (size >= kKeySectionOffset));
  }
}

}  // namespace
}  // namespace omserve::sealed
