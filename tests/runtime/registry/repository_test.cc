// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "runtime/base/file.h"
#include "runtime/registry/registry.h"
#include "tests/status_test_util.h"

namespace omserve::registry {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;

std::string Words(const absl::Status& status) { return std::string(MessageOf(status)); }

// An empty folder of this test program's own.
fs::path NewFolder(const std::string& name) {
  fs::remove_all(name);
  fs::create_directories(name);
  return name;
}

void WriteFile(const fs::path& path) { REQUIRE_OK(WriteFileAtomically(path.string(), "x")); }

// Models come by name with their versions in order; everything else in the folders is passed over.
TEST_CASE("a repository is scanned by its rules") {
  const fs::path root = NewFolder("rules");
  for (const char* folder :
       {"resnet/10", "resnet/9", "resnet/1", "resnet/0", "resnet/01", "resnet/-3", "resnet/+4",
        "resnet/1.5", "resnet/latest", "resnet/.5", "resnet/9223372036854775807",
        "resnet/9223372036854775808", "bert", "..data/1", ".git"}) {
    fs::create_directories(root / folder);
  }
  WriteFile(root / "README.md");
  WriteFile(root / "resnet" / "7");
  WriteFile(root / "resnet" / "config.yaml");
  const std::vector<ModelFolder> models = VALUE(ScanRepositories({root.string()}));
  REQUIRE(models.size() == 2);
  CHECK(models[0].name == "bert");
  CHECK(models[0].versions.empty());
  CHECK(models[1].name == "resnet");
  CHECK(models[1].path == (root / "resnet").string());
  CHECK(models[1].versions == std::vector<int64_t>{1, 9, 10, INT64_MAX});
}

// Kubernetes and operators link folders into place: a link counts as what it points to, and one
// that points nowhere as nothing.
TEST_CASE("links to folders are folders") {
  const fs::path root = NewFolder("links");
  const fs::path elsewhere = NewFolder("links_elsewhere");
  fs::create_directories(elsewhere / "store" / "1");
  fs::create_directory_symlink(fs::absolute(elsewhere / "store"), root / "linked");
  fs::create_directory_symlink("nowhere", root / "broken");
  const std::vector<ModelFolder> models = VALUE(ScanRepositories({root.string()}));
  REQUIRE(models.size() == 1);
  CHECK(models[0].name == "linked");
  CHECK(models[0].versions == std::vector<int64_t>{1});
}

// Several repositories are one list, sorted as a whole; none and empty ones give an empty list.
TEST_CASE("repositories are joined") {
  const fs::path first = NewFolder("join_first");
  const fs::path second = NewFolder("join_second");
  CHECK(VALUE(ScanRepositories({})).empty());
  CHECK(VALUE(ScanRepositories({first.string()})).empty());
  fs::create_directories(first / "b" / "1");
  fs::create_directories(second / "a" / "2");
  fs::create_directories(second / "c" / "3");
  const std::vector<ModelFolder> models =
      VALUE(ScanRepositories({first.string(), second.string()}));
  REQUIRE(models.size() == 3);
  CHECK(models[0].name == "a");
  CHECK(models[1].path == (first / "b").string());
  CHECK(models[2].versions == std::vector<int64_t>{3});
}

// A repository that is missing, or is a file, is not found and named.
TEST_CASE("a repository must be a folder") {
  const absl::Status missing = ScanRepositories({"no_such_repository"}).status();
  CHECK(missing.code() == absl::StatusCode::kNotFound);
  CHECK_THAT(Words(missing), Contains("'no_such_repository'") && Contains("No such file"));
  WriteFile("a_file");
  const absl::Status file = ScanRepositories({"a_file"}).status();
  CHECK(file.code() == absl::StatusCode::kNotFound);
  CHECK_THAT(Words(file), Contains("'a_file'") && Contains("not a folder"));
}

// One name in two repositories would make a model's source a matter of luck.
TEST_CASE("a model name in two repositories is refused") {
  const fs::path first = NewFolder("twice_first");
  const fs::path second = NewFolder("twice_second");
  fs::create_directories(first / "resnet" / "1");
  fs::create_directories(second / "resnet" / "2");
  const absl::Status status = ScanRepositories({first.string(), second.string()}).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK_THAT(Words(status), Contains("'resnet'") && Contains("twice_first/resnet") &&
                                Contains("twice_second/resnet"));
}

// One model is found without looking at the others, and told when two repositories have it.
TEST_CASE("one model is found by its name") {
  const fs::path one = NewFolder("one");
  const fs::path two = NewFolder("two");
  fs::create_directories(one / "text" / "3");
  fs::create_directories(one / "both");
  fs::create_directories(two / "both");
  const std::vector<std::string> repositories = {one.string(), two.string()};
  const std::optional<ModelFolder> text = VALUE(FindModel(repositories, "text"));
  REQUIRE(text.has_value());
  CHECK(text->versions == std::vector<int64_t>{3});
  CHECK_FALSE(VALUE(FindModel(repositories, "nobody")).has_value());
  CHECK_FALSE(VALUE(FindModel(repositories, "..")).has_value());
  CHECK_THAT(Words(FindModel(repositories, "both").status()),
             Contains("model 'both' stands in two repositories"));
}

// A fingerprint is the same until a file is added, removed or written to.
TEST_CASE("a folder's fingerprint changes with its files") {
  const fs::path root = NewFolder("prints");
  fs::create_directories(root / "1");
  WriteFile(root / "1" / "model.om");
  const ModelFolder folder{.name = "m", .path = root.string()};
  const auto print = [&folder] { return VALUE(Fingerprint(folder)); };
  const std::string before = print();
  CHECK(print() == before);
  WriteFile(root / "config.yaml");
  const std::string added = print();
  CHECK(added != before);
  REQUIRE_OK(WriteFileAtomically((root / "1" / "model.om").string(), "longer"));
  const std::string longer = print();
  CHECK(longer != added);
  fs::remove(root / "config.yaml");
  CHECK(print() != added);
  WriteFile(root / "config.yaml");
  // What is hidden is only just being made, or is not the model's.
  fs::create_directories(root / ".2");
  WriteFile(root / ".2" / "model.om");
  WriteFile(root / ".config.yaml.swp");
  CHECK_FALSE(Fingerprint({.path = (root / "nothing").string()}).ok());
  // A version stands on the model's files and on its own.
  const auto of_one = [&folder] { return VALUE(Fingerprint(folder, 1)); };
  const std::string one = of_one();
  fs::create_directories(root / "2");
  WriteFile(root / "2" / "model.om");
  CHECK(of_one() == one);
  WriteFile(root / "1" / "weights");
  CHECK(of_one() != one);
  const std::string two = VALUE(Fingerprint(folder, 2));
  WriteFile(root / "vocab.json");
  CHECK(VALUE(Fingerprint(folder, 2)) != two);
}

}  // namespace
}  // namespace omserve::registry
