// SPDX-License-Identifier: Apache-2.0
#include "runtime/sealed/seal_file.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "tests/runtime/sealed/sealed_samples.h"

namespace omserve::sealed {
namespace {

namespace fs = std::filesystem;
using Catch::Matchers::Contains;

// An empty folder of the test's own.
std::string NewFolder(const std::string& name) {
  fs::remove_all(name);
  fs::create_directory(name);
  return name + "/";
}

size_t FilesIn(const std::string& folder) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder)) {
    ++count;
  }
  return count;
}

std::string ErrorOf(const absl::StatusOr<FileReport>& report) {
  return report.ok() ? "OK" : std::string(MessageOf(report.status()));
}

mode_t ModeOf(const std::string& path) {
  struct stat info {};
  REQUIRE(stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777U;
}

// Sealed and opened with files, as an operator does; the opened one is for its owner's eyes.
TEST_CASE("A file is sealed and opened", "[seal_file]") {
  const std::string in = NewFolder("round");
  const std::string plain = Plain(100'000);
  REQUIRE_OK(WriteFileAtomically(in + "a.om", plain));
  uint64_t last = 0;
  const FileReport sealed = VALUE(SealFile({.from = in + "a.om",
                                            .to = in + "a.sealed",
                                            .on_progress =
                                                [&](uint64_t done, uint64_t all) {
                                                  CHECK(all == 100'000);
                                                  last = done;
                                                }},
                                           ForSampleKey()));
  CHECK(last == 100'000);
  CHECK(sealed.plain_bytes == 100'000);
  CHECK(sealed.file_bytes == fs::file_size(in + "a.sealed"));
  const FileReport opened =
      VALUE(OpenFile({.from = in + "a.sealed", .to = in + "b.om"}, SampleRing()));
  CHECK(opened.plain_bytes == 100'000);
  CHECK(VALUE(ReadFile(in + "b.om")) == plain);
  CHECK(ModeOf(in + "b.om") == 0600);
  CHECK(FilesIn(in) == 3);
}

// A file may be sealed where it is.
TEST_CASE("A file is sealed in place", "[seal_file]") {
  const std::string in = NewFolder("in_place");
  REQUIRE_OK(WriteFileAtomically(in + "a.om", "model"));
  REQUIRE_OK(SealFile({.from = in + "a.om", .to = in + "a.om"}, ForSampleKey()));
  CHECK(VALUE(OpenMemory(VALUE(ReadFile(in + "a.om")), SampleRing())) == "model");
  CHECK(FilesIn(in) == 1);
}

// What is there is replaced by what is asked for only.
TEST_CASE("An opened file replaces another only when told to", "[seal_file]") {
  const std::string in = NewFolder("replace");
  REQUIRE_OK(WriteFileAtomically(in + "a.sealed", Sealed("model")));
  REQUIRE_OK(WriteFileAtomically(in + "b.om", "precious"));
  OpenOptions options{.from = in + "a.sealed", .to = in + "b.om"};
  const absl::StatusOr<FileReport> refused = OpenFile(options, SampleRing());
  CHECK(refused.status().code() == absl::StatusCode::kFailedPrecondition);
  CHECK_THAT(ErrorOf(refused), Contains("b.om': is there already; remove it"));
  CHECK(VALUE(ReadFile(in + "b.om")) == "precious");
  options.replaces = true;
  REQUIRE_OK(OpenFile(options, SampleRing()));
  CHECK(VALUE(ReadFile(in + "b.om")) == "model");
  CHECK(FilesIn(in) == 2);
}

// A failure leaves nothing behind, neither plain text nor drafts.
TEST_CASE("A failure leaves no file", "[seal_file]") {
  const std::string in = NewFolder("failure");
  std::string bad = Sealed(Plain(3 * kChunk));
  bad.back() = static_cast<char>(bad.back() ^ 1);
  REQUIRE_OK(WriteFileAtomically(in + "a.sealed", bad));
  CHECK_THAT(ErrorOf(OpenFile({.from = in + "a.sealed", .to = in + "b.om"}, SampleRing())),
             Contains("a.sealed': chunk 2 of 3"));
  CHECK_THAT(ErrorOf(SealFile({.from = in + "none.om", .to = in + "c"}, ForSampleKey())),
             Contains("none.om': no such file"));
  CHECK_THAT(ErrorOf(SealFile({.from = in, .to = in + "c"}, ForSampleKey())),
             Contains("not a regular file"));
  CHECK_THAT(ErrorOf(SealFile({.from = in + "a.sealed", .to = in + "c"}, ForSampleKey())),
             Contains("sealed already"));
  REQUIRE_OK(WriteFileAtomically(in + "a.om", "model"));
  CHECK_THAT(ErrorOf(SealFile({.from = in + "a.om", .to = in + "c"}, Recipients())),
             Contains("at least one recipient"));
  CHECK_THAT(
      ErrorOf(SealFile({.from = in + "a.om", .to = in + "c", .chunk_bytes = 5000}, ForSampleKey())),
      Contains("chunk size 5000, expected a power of two"));
  CHECK_THAT(ErrorOf(SealFile({.from = in + "a.om", .to = in + "no/c"}, ForSampleKey())),
             Contains("cannot be written"));
  CHECK(FilesIn(in) == 2);
}

// New recipients open the file and old ones do not; the chunks stay byte for byte.
TEST_CASE("A file is given to others", "[seal_file]") {
  const std::string in = NewFolder("rekey");
  const std::string plain = Plain(3 * kChunk + 7);
  const std::string before = Sealed(plain, ForPublicKey(KeyPair("ec")));
  REQUIRE_OK(WriteFileAtomically(in + "a.sealed", before));
  fs::permissions(in + "a.sealed", fs::perms{0640});
  KeyPair("rsa");
  REQUIRE_OK(RekeyFile({.path = in + "a.sealed"}, RingOf("ec"), ForPublicKey("rsa")));
  const std::string after = VALUE(ReadFile(in + "a.sealed"));
  const auto chunks = [](const std::string& file) {
    return file.substr(VALUE(Header::Parse(BytesOf(file))).chunks_offset());
  };
  CHECK(after.substr(0, 96) == before.substr(0, 96));
  CHECK(chunks(after) == chunks(before));
  CHECK(VALUE(OpenMemory(after, RingOf("rsa"))) == plain);
  CHECK_THAT(MessageOf(OpenMemory(after, RingOf("ec"))), Contains("none of the keys given opens"));
  CHECK(ModeOf(in + "a.sealed") == 0640);
  CHECK(FilesIn(in) == 1);
  CHECK_THAT(ErrorOf(RekeyFile({.path = in + "a.sealed"}, RingOf("ec"), ForSampleKey())),
             Contains("a.sealed': key section: none of the keys given opens"));
  CHECK(VALUE(ReadFile(in + "a.sealed")) == after);
}

// A link stays a link, and what it leads to is changed.
TEST_CASE("A file behind a link is given to others", "[seal_file]") {
  const std::string in = NewFolder("link");
  REQUIRE_OK(WriteFileAtomically(in + "a.sealed", Sealed("model")));
  fs::create_symlink("a.sealed", in + "link");
  REQUIRE_OK(RekeyFile({.path = in + "link"}, SampleRing(), ForPublicKey(KeyPair("ec"))));
  CHECK(fs::is_symlink(in + "link"));
  CHECK(VALUE(OpenMemory(VALUE(ReadFile(in + "a.sealed")), RingOf("ec"))) == "model");
}

// What was tampered with is not given a new seal that hides it.
TEST_CASE("A changed file is not given to others", "[seal_file]") {
  const std::string in = NewFolder("changed");
  std::string file = Sealed("model");
  file[70] = static_cast<char>(file[70] ^ 1);
  REQUIRE_OK(WriteFileAtomically(in + "a.sealed", file));
  CHECK_THAT(ErrorOf(RekeyFile({.path = in + "a.sealed"}, SampleRing(), ForSampleKey())),
             Contains("sealed header: its MAC does not fit"));
  REQUIRE_OK(WriteFileAtomically(in + "a.sealed", Sealed("model") + "x"));
  CHECK_THAT(ErrorOf(RekeyFile({.path = in + "a.sealed"}, SampleRing(), ForSampleKey())),
             Contains("1 stand behind its end"));
}

}  // namespace
}  // namespace omserve::sealed
