// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/sums_file.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>

#include "runtime/source/source.h"
#include "tests/runtime/source/scratch_folder.h"
#include "tests/status_test_util.h"

namespace omserve::source {
namespace {

const std::string kHex(64, 'a');

std::string ErrorOf(const std::string& text) {
  const absl::Status status = ParseSums(text, "SHA256SUMS").status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(status));
}

// Both markers, digits of both cases, "./" in front: sorted, and written as sha256sum writes them.
TEST_CASE("Sums: what sha256sum writes is read") {
  const std::string upper(64, 'A');
  const std::vector<Sum> sums = VALUE(
      ParseSums(kHex + "  ./text/2/model.om\n" + upper + " *text/1/a file  of\xC3\xA4\n", "x"));
  REQUIRE(sums.size() == 2);
  CHECK(sums[0].path == "text/1/a file  of\xC3\xA4");
  CHECK(sums[1].path == "text/2/model.om");
  CHECK(sums[0].digest == sums[1].digest);
  CHECK(VALUE(ParseSums(WriteSums(sums), "x")) == sums);
  CHECK(VALUE(ParseSums("", "x")).empty());
}

// The program itself, over a folder.
TEST_CASE("Sums: sha256sum's own output") {
  const ScratchFolder folder;
  folder.Write("text/1/model.om", "one");
  folder.Write("text/config.yaml", "");
  for (const char* options : {"", "--binary"}) {
    const std::string command = "cd '" + folder.path() + "' && find . -type f ! -name SHA256SUMS " +
                                "-exec sha256sum " + options + " {} + > SHA256SUMS";
    REQUIRE(std::system(command.c_str()) == 0);  // NOLINT: of a test with one thread.
    const std::vector<Sum> sums = VALUE(ParseSums(folder.Read("SHA256SUMS"), "x"));
    REQUIRE(sums.size() == 2);
    CHECK(sums[0] == Sum{.path = "text/1/model.om", .digest = DigestOf("one")});
    CHECK(sums[1] == Sum{.path = "text/config.yaml", .digest = DigestOf("")});
  }
}

// Each is refused with the line and what was expected.
TEST_CASE("Sums: what is refused") {
  CHECK_THAT(ErrorOf(kHex + "  a/b\n\n"), Catch::StartsWith("SHA256SUMS:2: expected 64 hex"));
  CHECK_THAT(ErrorOf(kHex + " a/b\n"), Catch::StartsWith("SHA256SUMS:1: expected 64 hex"));
  CHECK_THAT(ErrorOf(kHex + "  \n"), Catch::StartsWith("SHA256SUMS:1: expected 64 hex"));
  CHECK_THAT(ErrorOf("SHA256 (a/b) = " + kHex + "\n"), Catch::Contains("without --tag"));
  CHECK_THAT(ErrorOf("\\" + kHex + "  a/b\\nc\n"), Catch::Contains("escaped"));
  CHECK_THAT(ErrorOf(kHex + "  a/b\r\n"), Catch::Contains("carriage return"));
  CHECK_THAT(ErrorOf(kHex + "  a/b"), Catch::Contains("cut short"));
  CHECK_THAT(ErrorOf(kHex + "  /a/b\n"), Catch::Contains("absolute"));
  CHECK_THAT(ErrorOf(kHex + "  a/../b\n"), Catch::Contains("begins with a dot"));
  CHECK_THAT(ErrorOf(kHex + "  a/.b\n"), Catch::Contains("begins with a dot"));
  CHECK_THAT(ErrorOf(kHex + "  ././a\n"), Catch::Contains("begins with a dot"));
  CHECK_THAT(ErrorOf(kHex + "  a//b\n"), Catch::Contains("empty"));
  CHECK_THAT(ErrorOf(kHex + "  a/\n"), Catch::Contains("empty"));
  CHECK_THAT(ErrorOf(kHex + "  a\\b\n"), Catch::Contains("backslash"));
  CHECK_THAT(ErrorOf(kHex + "  a\tb\n"), Catch::Contains("control character"));
  CHECK_THAT(ErrorOf(kHex + "  a" + std::string(1, '\0') + "b\n"),
             Catch::Contains("control character"));
  CHECK_THAT(ErrorOf(kHex + "  " + std::string(1025, 'a') + "\n"), Catch::Contains("1025 bytes"));
  CHECK_THAT(ErrorOf(kHex + "  a/" + std::string(256, 'a') + "\n"), Catch::Contains("256 bytes"));
  CHECK(ErrorOf(kHex + "  a/b\n" + kHex + "  c\n" + kHex + " *./a/b\n") ==
        "SHA256SUMS:3: 'a/b' is listed in line 1 already");
  CHECK(ErrorOf(kHex + "  a/b/c\n" + kHex + "  a/b!\n" + kHex + "  a/b\n") ==
        "SHA256SUMS:1: 'a/b/c' lies below 'a/b', which is listed as a file in line 3");
}

// What is larger than any list that is meant is not parsed to its end.
TEST_CASE("Sums: bounds") {
  CHECK_THAT(ErrorOf(std::string(kMostSumsBytes + 1, '\n')), Catch::Contains("at most"));
  std::string many;
  for (size_t i = 0; i <= kMostFiles; ++i) {
    many += kHex + "  a/" + std::to_string(i) + "\n";
  }
  CHECK_THAT(ErrorOf(many), Catch::Contains("more than 65536 lines"));
}

// A list of a repository: files beside the models' folders are nobody's, and an empty one is no
// order to remove everything.
TEST_CASE("Sums: a repository's list") {
  const auto files = VALUE(FilesOfSums(kHex + "  README\n" + kHex + "  text/config.yaml\n", "x"));
  REQUIRE(files.size() == 1);
  CHECK(files[0].path == "text/config.yaml");
  for (const std::string& text : {std::string(), kHex + "  README\n"}) {
    CHECK_THAT(std::string(MessageOf(FilesOfSums(text, "x").status())),
               Catch::Contains("no file of a model"));
  }
}

}  // namespace
}  // namespace omserve::source
