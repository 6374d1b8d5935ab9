// SPDX-License-Identifier: Apache-2.0
// What was sealed comes out again, however it is read.
#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "runtime/base/arrival.h"
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

// Whoever wants a digest of the file sees all of its bytes, in order and once.
TEST_CASE("The raw bytes are shown in order", "[decrypt]") {
  const std::string file = Sealed(Plain(20 * kChunk + 5));
  const KeyRing ring = SampleRing();
  std::string seen;
  std::vector<uint64_t> progress;
  const DecryptOptions options = {.threads = 2,
                                  .on_raw =
                                      [&](std::span<const std::byte> bytes) {
                                        seen.append(reinterpret_cast<const char*>(bytes.data()),
                                                    bytes.size());
                                      },
                                  .on_progress = [&](uint64_t done) { progress.push_back(done); }};
  REQUIRE_OK(OpenDescriptor(file, ring, options));
  CHECK(seen == file);
  CHECK(progress.size() == 21);
  CHECK(progress.back() == 20 * kChunk + 5);
  seen.clear();
  REQUIRE_OK(OpenMemory(file, ring, options));
  CHECK(seen == file);
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
}

// Bytes that another thread brings in pieces, header and chunks alike.
TEST_CASE("A file is decrypted as it comes", "[decrypt]") {
  const std::string plain = Plain(9 * kChunk + 3);
  const std::string file = Sealed(plain);
  const KeyRing ring = SampleRing();
  for (const size_t piece : {size_t{7}, size_t{100}, size_t{kChunk + 1}, file.size()}) {
    CAPTURE(piece);
    std::string memory(file.size(), '\0');
    std::string to(plain.size(), 'x');
    Arrival arrival;
    std::jthread bringer = StartThread("bringer", [&] {
      for (size_t done = 0; done < file.size();) {
        const size_t count = std::min(piece, file.size() - done);
        file.copy(memory.data() + done, count, done);
        done += count;
        arrival.Reach(done);
      }
      arrival.End();
    });
    const SealedFile sealed =
        VALUE(SealedFile::Open(std::as_bytes(std::span(memory)), ring, &arrival));
    REQUIRE_OK(sealed.Decrypt(std::as_writable_bytes(std::span(to)), {.threads = 2}));
    CHECK(to == plain);
  }
}

// What never comes is missed, not waited for.
TEST_CASE("A file of which not all comes is refused", "[decrypt]") {
  const std::string file = Sealed(Plain(4 * kChunk));
  for (const size_t size : {size_t{0}, size_t{20}, size_t{150}, file.size() - kChunk}) {
    CAPTURE(size);
    std::string memory = file.substr(0, size);
    memory.resize(file.size(), '\0');
    Arrival arrival;
    arrival.Reach(size);
    arrival.End();
    const absl::StatusOr<SealedFile> sealed =
        SealedFile::Open(std::as_bytes(std::span(memory)), SampleRing(), &arrival);
    if (!sealed.ok()) {
      continue;
    }
    std::string to(4 * kChunk, 'x');
    CHECK_FALSE(sealed->Decrypt(std::as_writable_bytes(std::span(to))).ok());
    CHECK(to == std::string(to.size(), '\0'));
  }
}

}  // namespace
}  // namespace omserve::sealed
