// SPDX-License-Identifier: Apache-2.0
#include "runtime/registry/model_file.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "tests/status_test_util.h"

namespace omserve::registry {
namespace {

using Catch::Matchers::Contains;

std::string Text(const FileBytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.span().data()), bytes.span().size()};
}

// A file that is not there is not found, and a folder is no file.
TEST_CASE("a model file must be a file") {
  const absl::Status missing = ModelFile::Open("no/model.om").status();
  CHECK(missing.code() == absl::StatusCode::kNotFound);
  CHECK_THAT(std::string(MessageOf(missing)), Contains("'no/model.om': no such file"));
  const absl::Status folder = ModelFile::Open(".").status();
  CHECK(folder.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(std::string(MessageOf(folder)), Contains("not a regular file"));
}

// A pipe would have who opens it wait for a writer; more than there is memory is not even begun.
TEST_CASE("a model file that would hold up a load is refused at once") {
  std::filesystem::remove("pipe.om");
  REQUIRE(mkfifo("pipe.om", 0600) == 0);
  CHECK_THAT(std::string(MessageOf(ModelFile::Open("pipe.om").status())),
             Contains("not a regular file"));
  CHECK_THAT(std::string(MessageOf(ReadFile("pipe.om").status())), Contains("not a regular file"));
  std::ofstream("sparse.om").close();
  std::filesystem::resize_file("sparse.om", uint64_t{1} << 42);
  const absl::Status sparse = VALUE(ModelFile::Open("sparse.om"))->Read().status();
  std::filesystem::remove("sparse.om");
  CHECK(sparse.code() == absl::StatusCode::kInvalidArgument);
}

// Those who read it together have one copy, which goes with the last of them.
TEST_CASE("a model file is read once for several") {
  const std::string contents(300'000, 'm');
  REQUIRE_OK(WriteFileAtomically("once.om", contents));
  const auto file = VALUE(ModelFile::Open("once.om"));
  std::weak_ptr<const FileBytes> copy;
  {
    const auto first = VALUE(file->Read());
    const auto second = VALUE(file->Read());
    CHECK(first == second);
    CHECK(Text(*first) == contents);
    copy = first;
  }
  CHECK(copy.expired());
  CHECK(Text(*VALUE(file->Read())) == contents);
}

TEST_CASE("an empty model file has no bytes") {
  REQUIRE_OK(WriteFileAtomically("empty.om", ""));
  const auto file = VALUE(ModelFile::Open("empty.om"));
  CHECK(VALUE(file->Read())->span().empty());
  CHECK_FALSE(file->IsOverwritten());
}

// Names may come and go: the file that was opened stays what it was.
TEST_CASE("a model file that is replaced or removed stays as it was") {
  REQUIRE_OK(WriteFileAtomically("stays.om", "as it was"));
  const auto file = VALUE(ModelFile::Open("stays.om"));
  REQUIRE_OK(WriteFileAtomically("stays.om", "another one"));
  std::filesystem::remove("stays.om");
  CHECK_FALSE(file->IsOverwritten());
  CHECK_FALSE(file->IsStillNamed());
  CHECK(Text(*VALUE(file->Read())) == "as it was");
}

// Cut short, longer, or as long as before: it is not what was opened, and not read.
TEST_CASE("a model file that is written into is not read") {
  for (const std::string contents :
       {"", "shorter", "as long as before", "longer than it was before"}) {
    INFO(contents);
    REQUIRE_OK(WriteFileAtomically("written.om", "It was like this."));
    std::filesystem::last_write_time(
        "written.om", std::filesystem::file_time_type::clock::now() - std::chrono::hours(1));
    const auto file = VALUE(ModelFile::Open("written.om"));
    std::ofstream("written.om", std::ios::trunc) << contents;
    CHECK(file->IsOverwritten());
    CHECK(file->IsStillNamed());
    const absl::Status status = file->Read().status();
    CHECK(status.code() == absl::StatusCode::kUnavailable);
    CHECK_THAT(std::string(MessageOf(status)),
               Contains("'written.om'") && Contains("rename that over it"));
  }
}

}  // namespace
}  // namespace omserve::registry
