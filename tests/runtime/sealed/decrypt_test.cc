// SPDX-License-Identifier: Apache-2.0
// What was sealed comes out again, however it is read.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/incoming_file.h"
#include "runtime/base/thread.h"
#include "runtime/sealed/sealed_file.h"
#include "tests/runtime/sealed/sealed_samples.h"

namespace omserve::sealed {
namespace {

// Sizes around the borders of chunks, from memory and from a descriptor, with and without threads.
TEST_CASE("What was sealed comes out", "[decrypt]") {
  const KeyRing ring = SampleRing();
  for (const size_t size : {size_t{0}, size_t{1}, size_t{kChunk - 1}, size_t{kChunk},
                            size_t{kChunk + 1}, size_t{2 * kChunk}, size_t{50 * kChunk + 17}}) {
    const std::string plain = Plain(size);
    const std::string file = Sealed(plain);
    for (const unsigned threads : {0U, 1U, 4U}) {
      CAPTURE(size, threads);
      CHECK(VALUE(OpenMemory(file, ring, {.threads = threads})) == plain);
      CHECK(VALUE(OpenDescriptor(file, ring, {.threads = threads})) == plain);
    }
  }
}

// The bytes of a file in order, as far as they come; given back unless they are to be kept.
std::string LookAt(IncomingFile& raw, bool gives_back = true) {
  constexpr uint64_t kMost = kChunk / 2 + 3;
  std::string seen;
  const auto see = [&seen](std::span<const std::byte> piece) {
    seen.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  };
  if (gives_back) {
    LookThrough(raw, 0, raw.size(), kMost, see);
    return seen;
  }
  while (seen.size() < raw.size()) {
    see(raw.Take(seen.size(), std::min(kMost, raw.size() - seen.size())));
  }
  return seen;
}

// Who checks a file sees all of its bytes as they are on the disk, and they are decrypted behind
// that, whether they are given back one by one or not at all.
TEST_CASE("A file is checked and then decrypted", "[decrypt]") {
  const KeyRing ring = SampleRing();
  for (const size_t size : {size_t{0}, size_t{1}, size_t{kChunk}, size_t{20 * kChunk + 5}}) {
    const std::string plain = Plain(size);
    const std::string file = Sealed(plain);
    for (const unsigned threads : {0U, 1U, 4U}) {
      for (const bool gives_back : {true, false}) {
        CAPTURE(size, threads, gives_back);
        std::string seen;
        std::vector<uint64_t> progress;
        const DecryptOptions options = {
            .threads = threads,
            .check =
                [&](IncomingFile& raw) {
                  seen = LookAt(raw, gives_back);
                  return absl::OkStatus();
                },
            .on_progress = [&](uint64_t done) { progress.push_back(done); }};
        CHECK(VALUE(OpenDescriptor(file, ring, options)) == plain);
        CHECK(seen == file);
        CHECK(progress.back() == size);
        CHECK(VALUE(OpenMemory(file, ring, options)) == plain);
        CHECK(seen == file);
      }
    }
  }
}

// Threads that look at parts of a file beside each other, as they do where it is signed in shards.
TEST_CASE("A file is checked by several threads", "[decrypt]") {
  const std::string plain = Plain(40 * kChunk + 7);
  const std::string file = Sealed(plain);
  constexpr size_t kThreads = 3;
  const auto check = [&](IncomingFile& raw) {
    std::string seen(raw.size(), '\0');
    std::vector<std::jthread> threads;
    const uint64_t part = raw.size() / kThreads + 1;
    for (uint64_t begin = 0; begin < raw.size(); begin += part) {
      threads.push_back(StartThread("part", [&raw, &seen, begin, part] {
        uint64_t at = begin;
        LookThrough(raw, begin, std::min(begin + part, raw.size()), 50,
                    [&](std::span<const std::byte> piece) {
                      std::memcpy(seen.data() + at, piece.data(), piece.size());
                      at += piece.size();
                    });
      }));
    }
    threads.clear();  // Joined.
    return seen == file ? absl::OkStatus() : absl::InternalError("other bytes were seen");
  };
  CHECK(VALUE(OpenDescriptor(file, SampleRing(), {.threads = 2, .check = check})) == plain);
}

// The check's word comes before that of the chunks, and nothing is left of either.
TEST_CASE("A file that fails its check is refused", "[decrypt]") {
  std::string file = Sealed(Plain(5 * kChunk));
  for (const bool damaged : {false, true}) {
    CAPTURE(damaged);
    if (damaged) {
      file[file.size() - 3 * kChunk] ^= 1;
    }
    const auto refuse = [](IncomingFile& raw) {
      LookAt(raw);
      return absl::PermissionDeniedError("not signed");
    };
    const auto refuse_at_once = [](IncomingFile&) {
      return absl::PermissionDeniedError("not signed");
    };
    CHECK(MessageOf(OpenDescriptor(file, SampleRing(), {.check = refuse})) == "not signed");
    CHECK(MessageOf(OpenDescriptor(file, SampleRing(), {.check = refuse_at_once})) == "not signed");
  }
  const auto pass = [](IncomingFile&) { return absl::OkStatus(); };
  CHECK_THAT(MessageOf(OpenDescriptor(file, SampleRing(), {.check = pass})),
             Catch::Contains("chunk"));
}

// Two files of the same model have nothing in common but the mark and the sizes.
TEST_CASE("The same model is sealed differently each time", "[decrypt]") {
  const std::string plain = Plain(kChunk);
  const std::string one = Sealed(plain);
  const std::string other = Sealed(plain);
  CHECK(one.size() == other.size());
  CHECK(one.substr(32, 64) != other.substr(32, 64));
  CHECK(one.substr(one.size() - kChunk) != other.substr(other.size() - kChunk));
  CHECK(one.find(plain.substr(0, 16)) == std::string::npos);
}

// A file that becomes shorter after it was opened fails, and leaves nothing.
TEST_CASE("A file that shrinks while it is read is refused", "[decrypt]") {
  const std::string file = Sealed(Plain(4 * kChunk));
  REQUIRE_OK(WriteFileAtomically("shrinks.sealed", file));
  const Descriptor fd(open("shrinks.sealed", O_RDWR | O_CLOEXEC));
  const SealedFile sealed = VALUE(SealedFile::Open(fd.get(), SampleRing()));
  REQUIRE(ftruncate(fd.get(), static_cast<off_t>(file.size() - 2 * kChunk)) == 0);
  std::string to(4 * kChunk, 'x');
  const absl::Status status = sealed.Decrypt(std::as_writable_bytes(std::span(to)));
  CHECK(std::string(MessageOf(status)).find("was longer when it was opened") != std::string::npos);
  CHECK(to == std::string(to.size(), '\0'));
  // Who checks it is not shown what did not come, and the reading's failure is what is told.
  bool was_missed = false;
  const auto check = [&](IncomingFile& raw) {
    was_missed = LookAt(raw).size() < file.size();
    return absl::InternalError("changed");
  };
  const absl::Status checked =
      sealed.Decrypt(std::as_writable_bytes(std::span(to)), {.check = check});
  CHECK_THAT(std::string(MessageOf(checked)), Catch::Contains("was longer"));
  CHECK(was_missed);
}

}  // namespace
}  // namespace omserve::sealed
