// SPDX-License-Identifier: Apache-2.0
#include "runtime/registry/model_file.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/base/digest.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "tests/runtime/sealed/sealed_samples.h"
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

// A file that is sealed in chunks and signed in shards, which do not end where those do.
class SignedAndSealed final {
 public:
  static constexpr uint64_t kShardBytes = 3000;

  SignedAndSealed() : plain_(sealed::Plain(10 * sealed::kChunk + 77)) {
    Write(sealed::Sealed(plain_));
    statement_.serialization.shard_bytes = kShardBytes;
    for (uint64_t begin = 0; begin < file_.size(); begin += kShardBytes) {
      const std::string_view shard = std::string_view(file_).substr(begin, kShardBytes);
      statement_.resources.push_back({.name = "1/model.om",
                                      .range = {begin, begin + shard.size()},
                                      .digest = DigestOf(shard)});
    }
  }
  const std::string& plain() const { return plain_; }
  trust::Statement& statement() { return statement_; }
  void FlipByte(size_t at) {
    file_[at] = static_cast<char>(file_[at] ^ 1);
    Write(file_);
  }
  size_t size() const { return file_.size(); }

  // What is read, where the verdict on what was checked is `verdict`, or that itself.
  absl::StatusOr<std::string> Read(const std::optional<absl::Status>& verdict = std::nullopt) {
    verdicts_.clear();
    const auto file = VALUE(ModelFile::Open(
        "signed.sealed", {.statement = std::make_shared<const trust::Statement>(statement_),
                          .name = "1/model.om",
                          .verdict =
                              [&](const absl::Status& checked) {
                                verdicts_.push_back(std::string(MessageOf(checked)));
                                return verdict.value_or(checked);
                              },
                          .keys = std::make_shared<const sealed::KeyRing>(sealed::SampleRing()),
                          .threads = 3}));
    ASSIGN_OR_RETURN(const std::shared_ptr<const FileBytes> bytes, file->Read());
    return Text(*bytes);
  }
  // Of the last Read.
  const std::vector<std::string>& verdicts() const { return verdicts_; }

 private:
  void Write(const std::string& file) {
    file_ = file;
    REQUIRE_OK(WriteFileAtomically("signed.sealed", file_));
  }

  const std::string plain_;
  std::string file_;
  trust::Statement statement_;
  std::vector<std::string> verdicts_;
};

// Each shard is as it was signed: the plain text comes, and the verdict is asked for once.
TEST_CASE("a model file that is signed and sealed is checked and opened") {
  SignedAndSealed model;
  CHECK(VALUE(model.Read()) == model.plain());
  CHECK(model.verdicts() == std::vector<std::string>{""});
  // Somebody may be content with less.
  model.statement().resources[3].digest = {};
  CHECK(VALUE(model.Read(absl::OkStatus())) == model.plain());
  REQUIRE(model.verdicts().size() == 1);
  CHECK_THAT(model.verdicts()[0], Contains("1/model.om"));
  model.statement().resources.pop_back();
  CHECK(VALUE(model.Read(absl::OkStatus())) == model.plain());
}

// Wherever a byte was changed, the signature says so before the chunks do, and once.
TEST_CASE("a model file that is signed and sealed and was changed is refused") {
  for (const size_t from_end : {size_t{1}, size_t{5000}}) {
    SignedAndSealed model;
    model.FlipByte(model.size() - from_end);
    CHECK_THAT(std::string(MessageOf(model.Read().status())), Contains("1/model.om"));
    CHECK(model.verdicts().size() == 1);
    CHECK_THAT(std::string(MessageOf(model.Read(absl::OkStatus()).status())), Contains("chunk"));
    CHECK(model.verdicts().size() == 1);
  }
  for (const size_t at : {size_t{20}, size_t{70}, size_t{130}}) {  // Not even a key is found then.
    CAPTURE(at);
    SignedAndSealed model;
    model.FlipByte(at);
    CHECK_THAT(std::string(MessageOf(model.Read().status())), Contains("1/model.om"));
    CHECK(model.verdicts().size() == 1);
    CHECK_FALSE(model.Read(absl::OkStatus()).ok());
    CHECK(model.verdicts().size() == 1);
  }
}

}  // namespace
}  // namespace omserve::registry
