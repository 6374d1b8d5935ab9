// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/file.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <utility>

#include "tests/status_test_util.h"

namespace omserve {
namespace {

using Catch::Matchers::Contains;

// The test runs in a folder of its own.
std::string Place(const std::string& name) { return "file_test_" + name; }

std::string Text(const MappedFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

// What was written is read and mapped, byte for byte.
TEST_CASE("A written file is read and mapped") {
  const std::string contents("two\nlines\0and a zero", 20);
  REQUIRE_OK(WriteFileAtomically(Place("whole"), contents));
  CHECK(VALUE(ReadFile(Place("whole"))) == contents);
  CHECK(Text(VALUE(MappedFile::Open(Place("whole")))) == contents);
}

// Writing over a file replaces it and leaves no draft in the folder.
TEST_CASE("A file is replaced and nothing stays beside it") {
  std::filesystem::create_directory(Place("folder"));
  const std::string path = Place("folder") + "/config";
  REQUIRE_OK(WriteFileAtomically(path, "a long first version"));
  REQUIRE_OK(WriteFileAtomically(path, "second"));
  CHECK(VALUE(ReadFile(path)) == "second");
  const std::filesystem::directory_iterator entries(Place("folder"));
  CHECK(std::distance(begin(entries), end(entries)) == 1);
}

// A reader that has the old file mapped keeps it whole while it is replaced.
TEST_CASE("A mapping outlives the replacement of its file") {
  REQUIRE_OK(WriteFileAtomically(Place("mapped"), "old"));
  const MappedFile old = VALUE(MappedFile::Open(Place("mapped")));
  REQUIRE_OK(WriteFileAtomically(Place("mapped"), "new"));
  CHECK(Text(old) == "old");
}

// An empty file is an empty span and an empty text.
TEST_CASE("An empty file is mapped and read") {
  REQUIRE_OK(WriteFileAtomically(Place("empty"), ""));
  CHECK(VALUE(MappedFile::Open(Place("empty"))).bytes().empty());
  CHECK(VALUE(ReadFile(Place("empty"))).empty());
}

// The mapping moves with the object and is released once.
TEST_CASE("A mapped file moves") {
  REQUIRE_OK(WriteFileAtomically(Place("a"), "a"));
  REQUIRE_OK(WriteFileAtomically(Place("b"), "bb"));
  MappedFile first = VALUE(MappedFile::Open(Place("a")));
  MappedFile second = VALUE(MappedFile::Open(Place("b")));
  first = std::move(second);
  CHECK(Text(first) == "bb");
  const MappedFile third = std::move(first);
  CHECK(Text(third) == "bb");
}

// A missing file is not found, and the message names it.
TEST_CASE("A missing file is not found") {
  for (const absl::Status& status :
       {ReadFile(Place("missing")).status(), MappedFile::Open(Place("missing")).status()}) {
    CHECK(status.code() == absl::StatusCode::kNotFound);
    CHECK_THAT(std::string(MessageOf(status)), Contains(Place("missing")));
  }
}

// A folder is no file.
TEST_CASE("A folder is refused") {
  for (const absl::Status& status : {ReadFile(".").status(), MappedFile::Open(".").status()}) {
    CHECK(status.code() == absl::StatusCode::kInvalidArgument);
    CHECK_THAT(std::string(MessageOf(status)), Contains("not a regular file"));
  }
}

// A file of the limit is read, and one byte more is refused with both numbers.
TEST_CASE("A file over the limit is refused") {
  REQUIRE_OK(WriteFileAtomically(Place("limit"), "12345"));
  CHECK(VALUE(ReadFile(Place("limit"), 5)) == "12345");
  const absl::Status status = ReadFile(Place("limit"), 4).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(MessageOf(status)), Contains("5 bytes, at most 4"));
}

// A folder that does not exist cannot be written into.
TEST_CASE("Writing into a missing folder fails") {
  const absl::Status status = WriteFileAtomically(Place("nowhere") + "/file", "x");
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(MessageOf(status)), Contains("No such file or directory"));
}

// A name that is a folder cannot be replaced, and the draft is taken away.
TEST_CASE("A folder is not replaced by a file") {
  std::filesystem::create_directories(Place("outer") + "/inner");
  CHECK_FALSE(WriteFileAtomically(Place("outer") + "/inner", "x").ok());
  const std::filesystem::directory_iterator entries(Place("outer"));
  CHECK(std::distance(begin(entries), end(entries)) == 1);
}

}  // namespace
}  // namespace omserve
