// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/zip_archive.h"

#include <catch2/catch.hpp>

#include "tests/runtime/om/om_builders.h"
#include "tests/status_test_util.h"

namespace omserve::om {
namespace {

constexpr size_t kLimit = 1 << 20;
constexpr size_t kEndBytes = 22;

std::vector<ZipPart> SampleParts() {
  return {{"a/stored", "some bytes", false},
          {"a/deflated", std::string(5000, 'x') + "y", true},
          {"empty", "", false},
          {"empty_deflated", "", true}};
}

std::string ParseError(const std::string& bytes) {
  const absl::StatusOr<ZipArchive> archive = ZipArchive::Parse(AsBytes(bytes));
  REQUIRE_FALSE(archive.ok());
  CHECK(archive.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(archive.status()));
}

std::string ReadError(const std::string& bytes, size_t limit_bytes = kLimit) {
  const ZipArchive archive = VALUE(ZipArchive::Parse(AsBytes(bytes)));
  const absl::StatusOr<std::string> contents = archive.Read(archive.entries().front(), limit_bytes);
  REQUIRE_FALSE(contents.ok());
  CHECK(contents.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(contents.status()));
}

size_t DirectoryAt(const std::string& bytes) {
  return FieldAt<uint32_t>(AsBytes(bytes), bytes.size() - kEndBytes + 16);
}

// Stored, deflated and empty entries come back, in both forms of the directory, behind a comment.
TEST_CASE("an archive's entries are read", "[zip]") {
  const ZipForm form = GENERATE(ZipForm::k32, ZipForm::k64);
  std::string bytes = ZipOf(SampleParts(), form);
  bytes = Patched(bytes, bytes.size() - 2, uint16_t{7}) + "comment";
  const ZipArchive archive = VALUE(ZipArchive::Parse(AsBytes(bytes)));
  REQUIRE(archive.entries().size() == 4);
  for (const ZipPart& part : SampleParts()) {
    CAPTURE(part.name);
    const ZipEntry* entry = archive.Find(part.name);
    REQUIRE(entry != nullptr);
    CHECK(entry->bytes == part.contents.size());
    CHECK(VALUE(archive.Read(*entry, kLimit)) == part.contents);
  }
  CHECK(archive.Find("a") == nullptr);
  CHECK(archive.Find("a/deflated")->packed_bytes < 100);
}

// An entry longer than the caller allows is not unpacked, whatever it packs to.
TEST_CASE("an entry over the limit is refused", "[zip]") {
  const std::string bytes = ZipOf({{"bomb", std::string(kLimit + 1, '\0'), true}});
  CHECK(bytes.size() < 10000);
  CHECK_THAT(ReadError(bytes), Catch::Contains("'bomb': 1048577 bytes, at most 1048576"));
}

// An entry that unpacks to more than the directory says stops there; one that gives less is told.
TEST_CASE("a size that is not the entry's is refused", "[zip]") {
  const std::string good = ZipOf({{"x", std::string(1000, 'x'), true}});
  const size_t size_at = DirectoryAt(good) + 24;
  CHECK_THAT(ReadError(Patched(good, size_at, uint32_t{999})), Catch::Contains("give the 999"));
  CHECK_THAT(ReadError(Patched(good, size_at, uint32_t{1001})), Catch::Contains("give the 1001"));
  const std::string stored = ZipOf({{"x", "12345", false}});
  CHECK_THAT(ReadError(Patched(stored, DirectoryAt(stored) + 24, uint32_t{4})),
             Catch::Contains("its 5 packed bytes"));
}

// Changed contents, encryption and other methods are named.
TEST_CASE("an entry that cannot be read says why", "[zip]") {
  const std::string good = ZipOf({{"x", "12345", false}});
  const size_t directory = DirectoryAt(good);
  std::string changed = good;
  changed[30 + 1] = '6';
  CHECK_THAT(ReadError(changed), Catch::Contains("checksum"));
  CHECK_THAT(ReadError(Patched(good, directory + 8, uint16_t{1})), Catch::Contains("encrypted"));
  CHECK_THAT(ReadError(Patched(good, directory + 10, uint16_t{12})), Catch::Contains("method 12"));
  CHECK_THAT(ReadError(Patched(good, directory + 42, uint32_t{1})),
             Catch::Contains("no header at byte 1"));
  CHECK_THAT(ReadError(Patched(good, directory + 42, ~uint32_t{0})), Catch::Contains("no header"));
  CHECK_THAT(ReadError(Patched(good, directory + 20, uint32_t{100000})),
             Catch::Contains("over the end"));
}

// The directory's own numbers do not fit.
TEST_CASE("a wrong directory is refused", "[zip]") {
  const std::string good = ZipOf(SampleParts());
  const size_t end = good.size() - kEndBytes;
  CHECK_THAT(ParseError("PK\x03\x04"), Catch::Contains("no end record"));
  CHECK_THAT(ParseError(""), Catch::Contains("no end record"));
  CHECK_THAT(ParseError(Patched(good, end + 16, ~uint32_t{0})), Catch::Contains("over the end"));
  CHECK_THAT(ParseError(Patched(good, end + 12, ~uint32_t{0})), Catch::Contains("over the end"));
  CHECK_THAT(ParseError(Patched(good, end + 10, uint16_t{5})), Catch::Contains("entry 4"));
  CHECK_THAT(ParseError(Patched(good, DirectoryAt(good), uint32_t{0})), Catch::Contains("entry 0"));
  const std::string wide = ZipOf(SampleParts(), ZipForm::k64);
  const size_t locator = wide.size() - kEndBytes - 20;
  CHECK_THAT(ParseError(Patched(wide, locator + 8, ~uint64_t{0})), Catch::Contains("64-bit"));
  const size_t record = locator - 56;
  CHECK_THAT(ParseError(Patched(wide, record + 32, ~uint64_t{0})),
             Catch::Contains("18446744073709551615 entries"));
  CHECK_THAT(ParseError(Patched(wide, record + 48, ~uint64_t{0})), Catch::Contains("over the end"));
}

// Whatever is cut off or changed, the rest is refused or read, never more.
TEST_CASE("a damaged archive never crashes", "[zip]") {
  const std::string good = ZipOf(SampleParts(), GENERATE(ZipForm::k32, ZipForm::k64));
  const auto read_all = [](const std::string& bytes) {
    const absl::StatusOr<ZipArchive> archive = ZipArchive::Parse(AsBytes(bytes));
    if (archive.ok()) {
      for (const ZipEntry& entry : archive->entries()) {
        const absl::StatusOr<std::string> contents = archive->Read(entry, kLimit);
        CHECK((!contents.ok() || contents->size() <= kLimit));
      }
    }
    return archive.ok();
  };
  for (size_t length = 0; length < good.size(); ++length) {
    CHECK_FALSE(read_all(good.substr(0, length)));
  }
  for (size_t at = 0; at < good.size(); ++at) {
    for (const char value : {'\0', '\x7f', '\xff'}) {
      std::string bad = good;
      bad[at] = value;
      read_all(bad);
    }
  }
}

}  // namespace
}  // namespace omserve::om
