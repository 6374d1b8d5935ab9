// SPDX-License-Identifier: Apache-2.0
#include "runtime/trust/digest.h"

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "runtime/trust/base64.h"
#include "tests/runtime/trust/signing_room.h"

namespace omserve::trust {
namespace {

using Catch::Matchers::Contains;

// Of FIPS 180 (RFC 6234): "abc", and of nothing.
constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kNothing[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

TEST_CASE("Digests are SHA-256", "[digest]") {
  CHECK(HexOf(DigestOf("abc")) == kAbc);
  CHECK(HexOf(DigestOf("")) == kNothing);
  CHECK(DigestFromHex(kAbc) == DigestOf("abc"));
  CHECK(DigestFromHex("BA" + std::string(kAbc).substr(2)) == DigestOf("abc"));
  for (const std::string& wrong : {std::string(), std::string(63, 'a'), std::string(65, 'a'),
                                   std::string(63, 'a') + 'g', ' ' + std::string(63, 'a')}) {
    CAPTURE(wrong);
    CHECK_FALSE(DigestFromHex(wrong).has_value());
  }
}

// Shards cover a file once, in order; only the last is shorter.
TEST_CASE("Files are cut into shards", "[digest]") {
  CHECK(ShardsOf(10, 0) == std::vector<ByteRange>{{0, 10}});
  CHECK(ShardsOf(0, 0) == std::vector<ByteRange>{{0, 0}});
  CHECK(ShardsOf(0, 4).empty());
  CHECK(ShardsOf(8, 4) == std::vector<ByteRange>{{0, 4}, {4, 8}});
  CHECK(ShardsOf(9, 4) == std::vector<ByteRange>{{0, 4}, {4, 8}, {8, 9}});
  CHECK(ShardsOf(3, UINT64_MAX) == std::vector<ByteRange>{{0, 3}});
}

// However many threads there are, each index is taken once.
TEST_CASE("Every index is worked on once", "[digest]") {
  for (const int threads : {-1, 0, 1, 2, 7}) {
    for (const size_t count : {size_t{0}, size_t{1}, size_t{1000}}) {
      CAPTURE(threads, count);
      std::vector<std::atomic<int>> times(count);
      ForEachIndex(count, threads, [&times](size_t i) { ++times[i]; });
      CHECK(std::all_of(times.begin(), times.end(), [](const auto& n) { return n == 1; }));
    }
  }
}

// A range of a file has the digest of its bytes, also across the reader's chunks.
TEST_CASE("Digests of files", "[digest]") {
  const SigningRoom room("digests");
  std::string bytes((size_t{5} << 19) + 3, '\0');
  std::iota(bytes.begin(), bytes.end(), '\0');
  room.Write("file", bytes);
  const DigestedFile file = VALUE(DigestedFile::Open(room.Path("file")));
  CHECK(file.size_bytes() == bytes.size());
  uint64_t told = 0;
  const auto progress = [&told](uint64_t more) { told += more; };
  CHECK(VALUE(file.DigestOfRange({0, bytes.size()}, progress)) == DigestOf(bytes));
  CHECK(told == bytes.size());
  CHECK(VALUE(file.DigestOfRange({7, size_t{1} << 21}, nullptr)) ==
        DigestOf(std::string_view(bytes).substr(7, (size_t{1} << 21) - 7)));
  CHECK(VALUE(file.DigestOfRange({5, 5}, nullptr)) == DigestOf(""));
  CHECK_THAT(ErrorOf(file.DigestOfRange({0, bytes.size() + 1}, nullptr)),
             Contains("the file was made shorter"));
}

// What is no file of its own is not opened, and a pipe without a writer is not waited for.
TEST_CASE("Only regular files have digests", "[digest]") {
  const SigningRoom room("no_files");
  room.Write("file", "x");
  std::filesystem::create_symlink("file", room.Path("link"));
  REQUIRE(std::system(("mkfifo " + room.Path("pipe")).c_str()) == 0);  // NOLINT: of a test.
  CHECK_THAT(ErrorOf(DigestedFile::Open(room.Path("link"))), Contains("a symbolic link"));
  CHECK_THAT(ErrorOf(DigestedFile::Open(room.Path("pipe"))), Contains("not a regular file"));
  CHECK_THAT(ErrorOf(DigestedFile::Open(room.Path(""))), Contains("not a regular file"));
  CHECK(absl::IsNotFound(DigestedFile::Open(room.Path("none")).status()));
}

// RFC 4648's examples, and what has two forms elsewhere has one here.
TEST_CASE("Base64 has one form for each value", "[base64]") {
  const std::pair<const char*, const char*> pairs[] = {{"", ""},
                                                       {"f", "Zg=="},
                                                       {"fo", "Zm8="},
                                                       {"foo", "Zm9v"},
                                                       {"foob", "Zm9vYg=="},
                                                       {"fooba", "Zm9vYmE="},
                                                       {"foobar", "Zm9vYmFy"},
                                                       {"\xfb\xff\xbf", "+/+/"}};
  for (const auto& [bytes, text] : pairs) {
    CHECK(ToBase64(bytes) == text);
    CHECK(FromBase64(text) == bytes);
  }
  CHECK(FromBase64("-_-_") == "\xfb\xff\xbf");
  for (const char* wrong : {"Zg", "Zg=", "Zh==", "Zm9=", "Zm9v\n", " Zm9v", "====", "=",
                            "Z===", "Zg==Zg==", "+_+_", "Zm9*"}) {
    CAPTURE(wrong);
    CHECK_FALSE(FromBase64(wrong).has_value());
  }
}

}  // namespace
}  // namespace omserve::trust
