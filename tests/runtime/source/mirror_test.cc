// SPDX-License-Identifier: Apache-2.0
#include "runtime/source/mirror.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "runtime/base/errors.h"
#include "tests/runtime/source/mirror_rig.h"
#include "tests/status_test_util.h"

namespace omserve::source {
namespace {

// New models, a new version, a changed one and a changed configuration come; what is there is not
// read again, also after a start.
TEST_CASE("Mirror: what is new comes, and only that") {
  MirrorRig rig({{"text/config.yaml", "a: 1\n"},
                 {"text/1/model.om", Bytes("one")},
                 {"text/1/more/vocab.json", ""},
                 {"vision/3/model.om", Bytes("three")}});
  REQUIRE_OK(rig.Run());
  CHECK(rig.repository.Visible() == rig.source.files);
  CHECK(rig.report.files == 4);
  CHECK(rig.report.versions == 2);
  CHECK(rig.report.fetched_bytes == 2 * 3500 + 5);
  const int reads = rig.source.reads;
  REQUIRE_OK(rig.Run());
  CHECK(rig.source.reads == reads);
  CHECK(rig.report.files == 0);

  rig.source.files["text/2/model.om"] = Bytes("two");
  rig.source.files["text/1/model.om"] = Bytes("one again");
  rig.source.files.erase("text/1/more/vocab.json");
  rig.source.files["text/config.yaml"] = "a: 2\n";
  REQUIRE_OK(rig.Run());
  CHECK(rig.repository.Visible() == rig.source.files);
  CHECK(rig.report.files == 3);
  CHECK(rig.report.versions == 2);
  CHECK(rig.source.reads == reads + 3);
}

// What the source has no more goes, if it was brought: files, versions, models.
TEST_CASE("Mirror: what is gone goes") {
  MirrorRig rig({{"text/config.yaml", "a: 1\n"},
                 {"text/labels.txt", "x\n"},
                 {"text/1/model.om", Bytes("one")},
                 {"text/2/model.om", Bytes("two")},
                 {"vision/3/model.om", Bytes("three")}});
  rig.repository.Write("own/1/model.om", "own");
  REQUIRE_OK(rig.Run());
  for (const char* path : {"text/labels.txt", "text/1/model.om", "vision/3/model.om"}) {
    rig.source.files.erase(path);
  }
  REQUIRE_OK(rig.Run());
  CHECK(rig.report.removed == std::vector<std::string>{"text/1", "text/labels.txt", "vision"});
  Files expected = rig.source.files;
  expected["own/1/model.om"] = "own";
  CHECK(rig.repository.Visible() == expected);
  CHECK_FALSE(rig.repository.Has("vision"));
}

// A source that does not answer, or lists nothing that makes sense, takes nothing away.
TEST_CASE("Mirror: an error removes nothing") {
  MirrorRig rig({{"text/1/model.om", Bytes("one")}});
  REQUIRE_OK(rig.Run());
  rig.source.list_error = Unavailable("no answer");
  CHECK(rig.Error(absl::StatusCode::kUnavailable) ==
        "source 'https://models.example/released': no answer");
  rig.source.list_error = absl::OkStatus();
  for (const char* path : {"../1/model.om", "model.om", "text/1"}) {
    rig.source.listed_files = Files{{path, "x"}, {"text/1/model.om", "x"}};
    CHECK_THAT(rig.Error(absl::StatusCode::kInvalidArgument), Catch::Contains(path));
  }
  CHECK(rig.repository.Visible() == rig.source.files);
}

// Files of somebody else are neither replaced nor removed, and the error says which is in the way.
TEST_CASE("Mirror: what was not brought is not touched") {
  MirrorRig rig({{"text/1/model.om", Bytes("one")}, {"text/2/model.om", Bytes("two")}});
  rig.repository.Write("text/1/model.om", Bytes("one"));  // The same, but not brought.
  rig.repository.Write("text/2/model.om", "own");
  CHECK_THAT(rig.Error(absl::StatusCode::kFailedPrecondition),
             Catch::Contains("/text/2/model.om' stands in the way"));
  CHECK(rig.repository.Read("text/2/model.om") == "own");
  rig.repository.Remove("text/2");
  REQUIRE_OK(rig.Run());
  CHECK(rig.repository.Visible() == rig.source.files);

  // Changed by somebody since.
  rig.repository.Write("text/2/model.om", "changed");
  CHECK_THAT(rig.Error(absl::StatusCode::kFailedPrecondition), Catch::Contains("text/2/model.om"));
  rig.source.files.erase("text/2/model.om");
  REQUIRE_OK(rig.Run());
  CHECK(rig.report.left == std::vector<std::string>{"text/2"});
  CHECK(rig.repository.Read("text/2/model.om") == "changed");

  // A link is nobody's file.
  rig.source.files["text/3/model.om"] = Bytes("three");
  std::filesystem::create_symlink("1", rig.repository.Path("text/3"));
  CHECK_THAT(rig.Error(absl::StatusCode::kFailedPrecondition), Catch::Contains("text/3'"));
  rig.repository.Remove("text/3");

  // The source has another model alone: what was there before stays, with what it never brought.
  rig.source.files = {{"vision/1/model.om", Bytes("three")}};
  REQUIRE_OK(rig.Run());
  CHECK(rig.repository.Read("text/1/model.om") == Bytes("one"));
}

// A file that somebody put into a version that was brought keeps it from being removed or replaced.
TEST_CASE("Mirror: a file beside those that were brought") {
  MirrorRig rig({{"text/1/model.om", Bytes("one")}, {"text/2/model.om", Bytes("two")}});
  REQUIRE_OK(rig.Run());
  rig.repository.Write("text/1/note.txt", "mine");
  REQUIRE_OK(rig.Run());  // It harms nobody.
  rig.source.files["text/1/model.om"] = Bytes("one again");
  CHECK_THAT(rig.Error(absl::StatusCode::kFailedPrecondition), Catch::Contains("text/1/note.txt"));
  rig.source.files.erase("text/1/model.om");
  REQUIRE_OK(rig.Run());
  CHECK(rig.report.left == std::vector<std::string>{"text/1"});
  CHECK(rig.repository.Read("text/1/note.txt") == "mine");
  CHECK(rig.repository.Read("text/1/model.om") == Bytes("one"));
}

// Other inodes and times, as after a backup was played back: known by their digests.
TEST_CASE("Mirror: a repository that was copied") {
  MirrorRig rig({{"text/1/model.om", Bytes("one")}, {"text/2/model.om", Bytes("two")}});
  REQUIRE_OK(rig.Run());
  const std::string copy = rig.repository.Path("text.copy");
  std::filesystem::copy(rig.repository.Path("text"), copy,
                        std::filesystem::copy_options::recursive);
  rig.repository.Remove("text");
  std::filesystem::rename(copy, rig.repository.Path("text"));
  const int reads = rig.source.reads;
  rig.source.files.erase("text/1/model.om");
  REQUIRE_OK(rig.Run());
  CHECK(rig.source.reads == reads);
  CHECK(rig.report.removed == std::vector<std::string>{"text/1"});
}

// Two processes at one place: the second is told, and nothing is mixed up.
TEST_CASE("Mirror: one at a time") {
  MirrorRig rig({{"text/1/model.om", Bytes("one")}});
  absl::Status second;
  REQUIRE_OK(rig.Run([&](std::string_view /*change*/) {
    Mirror other(rig.source, {.folder = rig.repository.path()}, SteadyClock());
    MirrorReport report;
    second = other.Run(report, {});
    return absl::OkStatus();
  }));
  CHECK(second.code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(std::string(MessageOf(second)), Catch::Contains("another process"));
}

// What the mirror remembers was damaged: it says so, and does not guess what is its own.
TEST_CASE("Mirror: a damaged memory") {
  MirrorRig rig({{"text/1/model.om", Bytes("one")}});
  REQUIRE_OK(rig.Run());
  for (const auto& entry :
       std::filesystem::directory_iterator(rig.repository.Path(".omserve-fetch"))) {
    if (entry.is_directory()) {
      REQUIRE_OK(WriteFileAtomically(entry.path() / "brought", "omserve-brought 1\nnonsense\n"));
    }
  }
  CHECK_THAT(rig.Error(absl::StatusCode::kInvalidArgument),
             Catch::Contains("brought': line 2 is not as it was written"));
}

TEST_CASE("Mirror: units") {
  CHECK(UnitPathOf("text/2/model.om") == "text/2");
  CHECK(UnitPathOf("text/2/a/b") == "text/2");
  CHECK(UnitPathOf("text/02/a") == "text/02/a");
  CHECK(UnitPathOf("text/config.yaml") == "text/config.yaml");
  CHECK(UnitPathOf("text/2") == "text/2");
  const auto models = VALUE(UnitsOf({{.path = "text/a"}, {.path = "text/2/x"}, {.path = "b/1/y"}}));
  REQUIRE(models.size() == 2);
  CHECK(models[0].model == "b");
  REQUIRE(models[1].units.size() == 2);
  CHECK(models[1].units[0].path == "text/2");
  CHECK(models[1].units[1].path == "text/a");
}

}  // namespace
}  // namespace omserve::source
