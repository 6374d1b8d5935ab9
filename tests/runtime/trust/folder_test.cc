// SPDX-License-Identifier: Apache-2.0
#include "runtime/trust/folder.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/runtime/trust/signing_room.h"

namespace omserve::trust {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;
using Names = std::vector<std::string>;

// A model "m" with versions 1, 2 and 12, of which 1 and 2 have bundles.
class ModelRoom final {
 public:
  explicit ModelRoom(const std::string& name) : room(name) {
    for (const char* file :
         {"m/config.yaml", "m/vocab/words.txt", "m/.hidden", "m/1/model.om", "m/1/model.sig",
          "m/2/model.om", "m/2/weights/w0", "m/2/model.sig", "m/12/model.om"}) {
      room.Write(file, fmt::format("contents of {}", file));
    }
  }
  FolderOptions Options(int64_t version = 2) const {
    return {.model_folder = room.Path("m"), .version = version, .threads = 3, .progress = {}};
  }
  Statement Describe(uint64_t shard_bytes = 0) const {
    return VALUE(DescribeFolder(Options(), shard_bytes, std::nullopt));
  }
  std::string CheckError(const Statement& statement) const {
    return ErrorOf(CheckFolder(Options(), statement));
  }

  SigningRoom room;
};

std::span<const std::byte> Bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

// In scope is what belongs to the version and to all versions, except the bundle.
TEST_CASE("What a signature covers", "[folder]") {
  const ModelRoom model("scope");
  CHECK(VALUE(ListScope(model.room.Path("m"), 2)) ==
        Names{".hidden", "2/model.om", "2/weights/w0", "config.yaml", "vocab/words.txt"});
  CHECK(VALUE(ListScope(model.room.Path("m"), 12)) ==
        Names{".hidden", "12/model.om", "config.yaml", "vocab/words.txt"});
  CHECK(absl::IsNotFound(ListScope(model.room.Path("m"), 3).status()));
  CHECK(absl::IsNotFound(ListScope(model.room.Path("none"), 1).status()));
  // What only looks like a version or a bundle is in scope.
  for (const char* file : {"m/02/x", "m/3", "m/model.sig", "m/2/sub/model.sig", "m/v1/model.sig"}) {
    model.room.Write(file, "");
  }
  CHECK(VALUE(ListScope(model.room.Path("m"), 2)) ==
        Names{".hidden", "02/x", "2/model.om", "2/sub/model.sig", "2/weights/w0", "3",
              "config.yaml", "model.sig", "v1/model.sig", "vocab/words.txt"});
}

// What git keeps in a model's folder is passed over there, as upstream does, but nowhere deeper.
TEST_CASE("What git keeps is not covered", "[folder]") {
  const ModelRoom model("git");
  const Statement statement = model.Describe();
  for (const char* file : {"m/.git/HEAD", "m/.gitattributes", "m/.gitignore", "m/.github/x/y"}) {
    model.room.Write(file, "");
  }
  fs::create_symlink("HEAD", model.room.Path("m/.git/link"));
  CHECK(model.Describe() == statement);
  CHECK(model.CheckError(statement).empty());
  CHECK_THAT(ErrorOf(CheckFile(statement, ".gitignore", {}, 1)), Contains("not signed"));
  model.room.Write("m/2/.gitignore", "");
  CHECK_THAT(model.CheckError(statement), Contains("file '2/.gitignore': not signed"));
}

// Mounts put links where folders are; a link below them could lead anywhere later.
TEST_CASE("Symbolic links", "[folder]") {
  const ModelRoom model("links");
  const SigningRoom& room = model.room;
  fs::create_directory_symlink("m", room.Path("mounted"));
  CHECK(VALUE(ListScope(room.Path("mounted"), 2)) == VALUE(ListScope(room.Path("m"), 2)));
  fs::create_directory_symlink("2", room.Path("m/4"));
  CHECK(VALUE(ListScope(room.Path("m"), 4)).front() == ".hidden");
  CHECK(VALUE(ListScope(room.Path("m"), 2)).size() == 5);  // Another version's: not looked at.
  for (const char* link : {"m/link", "m/2/link"}) {
    fs::create_symlink(room.Path("m/config.yaml"), room.Path(link));
    CHECK_THAT(ErrorOf(ListScope(room.Path("m"), 2)), Contains("link': a symbolic link"));
    fs::remove(room.Path(link));
  }
  fs::create_directory_symlink("vocab", room.Path("m/folder"));
  CHECK_THAT(ErrorOf(ListScope(room.Path("m"), 2)),
             Catch::StartsWith("file 'folder': a symbolic link"));
  fs::remove(room.Path("m/folder"));
  REQUIRE(std::system(("mkfifo " + room.Path("m/pipe")).c_str()) == 0);  // NOLINT: of a test.
  CHECK_THAT(ErrorOf(ListScope(room.Path("m"), 2)),
             Contains("'pipe': neither a file nor a folder"));
}

TEST_CASE("Names that cannot be signed", "[folder]") {
  const ModelRoom model("names");
  model.room.Write("m/a\nb", "");
  CHECK_THAT(ErrorOf(ListScope(model.room.Path("m"), 2)),
             Contains("file: name 'a?b': expected UTF-8 without control characters"));
}

// What is described is found again, whole and in shards of any size, by any number of threads.
TEST_CASE("Folders are described and checked", "[folder]") {
  const ModelRoom model("describe");
  for (const uint64_t shard_bytes : std::vector<uint64_t>{0, 1, 7, 64, 1 << 20}) {
    CAPTURE(shard_bytes);
    const Statement statement = model.Describe(shard_bytes);
    CHECK(statement.model == "m");
    CHECK(statement.version == 2);
    CHECK(statement.serialization.ignore_paths ==
          Names{".git", ".gitattributes", ".github", ".gitignore", "1", "12", "2/model.sig"});
    REQUIRE_OK(CheckFolder(model.Options(), statement));
    for (const int threads : {1, 2, 16}) {
      FolderOptions options = model.Options();
      options.threads = threads;
      CHECK(VALUE(DescribeFolder(options, shard_bytes, std::nullopt)) == statement);
    }
    REQUIRE(ParseStatement(VALUE(WriteStatement(statement))).ok());
  }
  CHECK(VALUE(DescribeFolder(model.Options(), 0, 9)).security_epoch == 9);
  // A shard as large as the file has the file's digest.
  CHECK(model.Describe(1 << 20).resources[1].digest == model.Describe(0).resources[1].digest);
}

// Shards and whole files agree about every file: both take the good one and refuse the other.
TEST_CASE("Any other byte of any file is noticed", "[folder]") {
  const ModelRoom model("file_flips");
  for (const uint64_t shard_bytes : std::vector<uint64_t>{0, 1, 7, 1000}) {
    const Statement statement = model.Describe(shard_bytes);
    for (const std::string& name : VALUE(ListScope(model.room.Path("m"), 2))) {
      CAPTURE(shard_bytes, name);
      const std::string good = model.room.Read("m/" + name);
      CHECK(CheckFile(statement, name, Bytes(good), 2).ok());
      for (size_t i = 0; i < good.size(); ++i) {
        std::string other = good;
        other[i] = static_cast<char>(other[i] ^ (1 << (i % 8)));
        const absl::Status status = CheckFile(statement, name, Bytes(other), 2);
        REQUIRE(absl::IsInvalidArgument(status));
        REQUIRE_THAT(ErrorOf(status),
                     Catch::StartsWith("file '" + name + "': SHA-256 ") && Contains("was signed"));
      }
      for (const std::string& other :
           {good + "x", good.substr(0, good.size() - 1), std::string()}) {
        CHECK_THAT(ErrorOf(CheckFile(statement, name, Bytes(other), 2)),
                   Catch::StartsWith("file '" + name + "'"));
        model.room.Write("m/" + name, other);
        CHECK_THAT(model.CheckError(statement), Catch::StartsWith("file '" + name + "'"));
      }
      model.room.Write("m/" + name, good);
    }
  }
}

// The message has the beginnings of both digests, and the place in a file of many shards.
TEST_CASE("What is said of a changed file", "[folder]") {
  const ModelRoom model("messages");
  const Statement statement = model.Describe(16);
  model.room.Write("m/2/model.om", "contents of m/2/MODEL.om");
  const std::string expected = fmt::format(
      "file '2/model.om': SHA-256 {}... (bytes 16 to 24), but {}... was signed",
      HexOf(DigestOf("MODEL.om")).substr(0, 12), HexOf(DigestOf("model.om")).substr(0, 12));
  CHECK_THAT(model.CheckError(statement), Catch::StartsWith(expected));
  CHECK_THAT(ErrorOf(CheckFile(statement, "2/model.om", Bytes(model.room.Read("m/2/model.om")), 1)),
             Catch::StartsWith(expected));
}

// A file more, a file less, or one that the signature knows under another name.
TEST_CASE("Files that come and go", "[folder]") {
  const ModelRoom model("come_and_go");
  const Statement statement = model.Describe();
  for (const char* extra : {"m/extra", "m/2/extra", "m/2/deep/extra", "m/.extra"}) {
    model.room.Write(extra, "");
    CHECK_THAT(model.CheckError(statement), Contains("extra': not signed; remove it"));
    fs::remove(model.room.Path(extra));
  }
  CHECK(model.CheckError(statement).empty());
  model.room.Write("m/1/extra", "");
  CHECK(model.CheckError(statement).empty());
  fs::remove(model.room.Path("m/config.yaml"));
  CHECK_THAT(model.CheckError(statement),
             Contains("file 'config.yaml': missing, though it is signed"));
  CHECK_THAT(ErrorOf(CheckFolder(model.Options(12), statement)),
             Contains("though it is signed; so are 2 more"));
  CHECK_THAT(ErrorOf(CheckFile(statement, "2/other", {}, 1)),
             Contains("file '2/other': not signed"));
}

// Nobody vouches for what a signer left out, knowingly or not.
TEST_CASE("Paths that the signer left out", "[folder]") {
  const ModelRoom model("left_out");
  Statement statement = model.Describe();
  std::erase_if(statement.resources, [](const Resource& resource) {
    return resource.name == ".hidden" || resource.name == "vocab/words.txt";
  });
  CHECK_THAT(model.CheckError(statement), Contains("'.hidden': not signed"));
  statement.serialization.ignore_paths = {".hidden", "vocab"};
  CHECK_THAT(model.CheckError(statement), Contains("'.hidden': not signed"));
  CHECK_THAT(ErrorOf(CheckFile(statement, ".hidden", Bytes("contents of m/.hidden"), 1)),
             Contains("not signed"));
}

// Shards have no way to say that a file is empty, or has a colon in its name.
TEST_CASE("What cannot be signed in shards", "[folder]") {
  const ModelRoom model("no_shards");
  model.room.Write("m/empty", "");
  CHECK_THAT(ErrorOf(DescribeFolder(model.Options(), 8, std::nullopt)),
             Contains("file 'empty': empty, which shards cannot express; sign whole files"));
  CHECK(model.CheckError(model.Describe()).empty());
  fs::remove(model.room.Path("m/empty"));
  model.room.Write("m/a:b", "x");
  CHECK_THAT(ErrorOf(DescribeFolder(model.Options(), 8, std::nullopt)), Contains("'a:b'"));
  CHECK(model.CheckError(model.Describe()).empty());
}

// More shards than a statement holds are refused before anything is read.
TEST_CASE("Too many shards", "[folder]") {
  const ModelRoom model("many_shards");
  fs::resize_file(model.room.Path("m/2/model.om"), 100'000);
  CHECK_THAT(ErrorOf(DescribeFolder(model.Options(), 1, std::nullopt)),
             Contains("more than 65536 files or shards; sign in larger shards"));
}

// Every byte is told once, whoever reads it.
TEST_CASE("Progress is told", "[folder]") {
  const ModelRoom model("progress");
  FolderOptions options = model.Options();
  std::atomic<uint64_t> most = 0;
  std::atomic<uint64_t> total = 0;
  options.progress = [&](uint64_t done, uint64_t all) {
    total = all;
    for (uint64_t seen = most; seen < done && !most.compare_exchange_weak(seen, done);) {
    }
  };
  REQUIRE(DescribeFolder(options, 7, std::nullopt).ok());
  CHECK(total > 0);
  CHECK(most == total);
}

// A model is called as its folder, however the path is written.
TEST_CASE("Names of models", "[folder]") {
  const ModelRoom model("model_names");
  for (const char* path : {"m", "m/", "m/.", "m/2/..", "./m//"}) {
    CAPTURE(path);
    CHECK(VALUE(ModelNameOf(model.room.Path(path))) == "m");
  }
  fs::create_directory_symlink("m", model.room.Path("mounted"));
  CHECK(VALUE(ModelNameOf(model.room.Path("mounted"))) == "mounted");
  CHECK(VALUE(ModelNameOf(".")) == fs::current_path().filename());
  CHECK_FALSE(ModelNameOf("/").ok());
  CHECK_FALSE(ModelNameOf("").ok());
}

}  // namespace
}  // namespace omserve::trust
