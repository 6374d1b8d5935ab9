// SPDX-License-Identifier: Apache-2.0
// Whatever is done to a sealed file, it is refused with a message that names what failed, and no
// plain text is given out: OpenMemory and OpenDescriptor check that the buffer is zeros.
#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "runtime/sealed/header.h"
#include "tests/runtime/sealed/sealed_samples.h"

namespace omserve::sealed {
namespace {

using Catch::Matchers::Contains;

constexpr size_t kSealedChunk = kChunk + kTagBytes;
constexpr size_t kChunks = 4;  // The last one is shorter.

struct Sample {
  std::string file = Sealed(Plain(3 * kChunk + 100));
  KeyRing ring = SampleRing();
  Header header = VALUE(Header::Parse(BytesOf(file)));

  size_t chunk(size_t index) const { return header.OffsetOf(index); }
  std::string chunk_bytes(size_t index) const {
    return file.substr(chunk(index), index + 1 < kChunks ? kSealedChunk : std::string::npos);
  }
};

std::string ErrorOf(const std::string& file, const KeyRing& ring) {
  std::string error = MessageOf(OpenMemory(file, ring));
  CHECK(MessageOf(OpenDescriptor(file, ring)) == error);
  CHECK(error != "OK");
  return error;
}

std::string ErrorWithFlip(const Sample& sample, size_t at, unsigned bits = 1) {
  std::string file = sample.file;
  file[at] = static_cast<char>(static_cast<unsigned char>(file[at]) ^ bits);
  return ErrorOf(file, sample.ring);
}

// Every byte of the fixed header, by the field it belongs to.
TEST_CASE("A changed header is refused", "[tamper]") {
  const Sample sample;
  for (size_t at = 0; at < 8; ++at) {
    CHECK_THAT(ErrorWithFlip(sample, at), Contains("not a sealed file"));
  }
  for (size_t at = 8; at < 10; ++at) {
    CHECK_THAT(ErrorWithFlip(sample, at), Contains("version"));
  }
  CHECK_THAT(ErrorWithFlip(sample, 10), Contains("cipher"));
  CHECK_THAT(ErrorWithFlip(sample, 11), Contains("key derivation"));
  CHECK_THAT(ErrorWithFlip(sample, 12), Contains("key section form"));
  for (const size_t at : {13U, 14U, 15U, 20U, 21U, 22U, 23U}) {
    CHECK_THAT(ErrorWithFlip(sample, at), Contains("reserved byte"));
  }
  for (size_t at = 16; at < 20; ++at) {
    CHECK_THAT(ErrorWithFlip(sample, at), Contains("chunk size"));
  }
  for (size_t at = 24; at < 32; ++at) {
    CHECK_THAT(ErrorWithFlip(sample, at), Contains("plain size") || Contains("header: its MAC"));
  }
  for (size_t at = 32; at < kFixedHeaderBytes + kMacBytes; ++at) {
    CHECK_THAT(ErrorWithFlip(sample, at), Contains("sealed header: its MAC does not fit"));
  }
}

// Another chunk size that could be is caught by the MAC.
TEST_CASE("A changed chunk size is refused", "[tamper]") {
  Sample sample;
  sample.file[18] = 0x20;  // 8192 for 4096.
  CHECK_THAT(ErrorOf(sample.file, sample.ring), Contains("sealed header: its MAC does not fit"));
}

// Every byte of the key section and of its MAC, each bit that matters to some parser.
TEST_CASE("A changed key section is refused", "[tamper]") {
  const Sample sample;
  for (size_t at = kKeySectionOffset - 4; at < sample.chunk(0); ++at) {
    for (const unsigned bits : {0x01U, 0x80U, 0xffU}) {
      CAPTURE(at, bits);
      CHECK_THAT(ErrorWithFlip(sample, at, bits), Contains("key section"));
    }
  }
}

// The same with key pairs, whose wrapped keys only their owners can look into.
TEST_CASE("A changed key section for key pairs is refused", "[tamper]") {
  const std::string name = GENERATE(as<std::string>(), "rsa", "ec");
  const std::string file = Sealed("model", ForPublicKey(KeyPair(name)));
  const KeyRing ring = RingOf(name);
  REQUIRE_OK(OpenMemory(file, ring));
  const size_t end = VALUE(Header::Parse(BytesOf(file))).chunks_offset();
  for (size_t at = kKeySectionOffset - 4; at < end; ++at) {
    std::string changed = file;
    changed[at] = static_cast<char>(changed[at] ^ 0x11);
    CAPTURE(name, at);
    CHECK_THAT(MessageOf(OpenMemory(changed, ring)), Contains("key section"));
  }
}

// A key section of another file, with its MAC: the header's MAC does not fit the key in it.
TEST_CASE("A key section of another file is refused", "[tamper]") {
  const Sample sample;
  const Sample other;
  const size_t begin = kKeySectionOffset - 4;
  REQUIRE(sample.chunk(0) == other.chunk(0));
  std::string file = sample.file;
  file.replace(begin, sample.chunk(0) - begin, other.file, begin, sample.chunk(0) - begin);
  CHECK_THAT(ErrorOf(file, sample.ring), Contains("the key section is another file's"));
}

// First, middle and last byte of each chunk's text and tag.
TEST_CASE("A changed chunk is named", "[tamper]") {
  const Sample sample;
  for (size_t chunk = 0; chunk < kChunks; ++chunk) {
    const size_t size = sample.chunk_bytes(chunk).size();
    for (const size_t at :
         {size_t{0}, size / 2, size - kTagBytes - 1, size - kTagBytes, size - 1}) {
      CAPTURE(chunk, at);
      CHECK_THAT(ErrorWithFlip(sample, sample.chunk(chunk) + at, 0x80),
                 Contains(fmt::format("chunk {} of 4 (at byte {}): its tag does not fit", chunk,
                                      sample.chunk(chunk))));
    }
  }
}

// Chunks that are as they were, but not where they were.
TEST_CASE("Chunks out of their place are refused", "[tamper]") {
  const Sample sample;
  const Sample other;
  const auto put = [&](const std::vector<std::string>& chunks) {
    std::string file = sample.file.substr(0, sample.chunk(0));
    for (const std::string& chunk : chunks) {
      file += chunk;
    }
    return ErrorOf(file, sample.ring);
  };
  const std::string a = sample.chunk_bytes(0);
  const std::string b = sample.chunk_bytes(1);
  const std::string c = sample.chunk_bytes(2);
  const std::string d = sample.chunk_bytes(3);
  CHECK_THAT(put({b, a, c, d}), Contains("chunk 0 of 4"));
  CHECK_THAT(put({a, c, b, d}), Contains("chunk 1 of 4"));
  CHECK_THAT(put({a, a, c, d}), Contains("chunk 1 of 4"));
  CHECK_THAT(put({a, b, b, d}), Contains("chunk 2 of 4"));
  CHECK_THAT(put({other.chunk_bytes(0), b, c, d}), Contains("chunk 0 of 4"));
  CHECK_THAT(put({a, b, c, other.chunk_bytes(3)}), Contains("chunk 3 of 4"));
  for (const std::vector<std::string>& dropped :
       std::vector<std::vector<std::string>>{{b, c, d}, {a, c, d}, {a, b, d}, {a, b, c}, {}}) {
    CHECK_THAT(put(dropped), Contains("are cut off"));
  }
  CHECK_THAT(put({a, b, c, d, d}), Contains("stand behind its end"));
  CHECK_THAT(put({a, a, b, c, d}), Contains("stand behind its end"));
}

// Cut off anywhere, or with something behind the end.
TEST_CASE("A file of another length is refused", "[tamper]") {
  const Sample sample;
  for (const size_t size : {size_t{0}, size_t{4}, size_t{8}, size_t{50}, size_t{70}, size_t{98},
                            size_t{120}, sample.chunk(0) - 1}) {
    CAPTURE(size);
    CHECK_THAT(ErrorOf(sample.file.substr(0, size), sample.ring),
               Contains("not a sealed file") || Contains("cut off") || Contains("ends after"));
  }
  for (const size_t size : {sample.chunk(0), sample.chunk(0) + 1, sample.chunk(1),
                            sample.chunk(3) + 5, sample.file.size() - 1}) {
    CAPTURE(size);
    CHECK_THAT(ErrorOf(sample.file.substr(0, size), sample.ring),
               Contains(fmt::format("{} are cut off", sample.file.size() - size)));
  }
  CHECK_THAT(ErrorOf(sample.file + "x", sample.ring), Contains("1 stand behind its end"));
}

// Who cuts a file and mends the header to fit lacks the key of the header's MAC; and even chunks
// that come out well one by one do not pass for a shorter file, since the last one says so.
TEST_CASE("A file that is cut between chunks is refused", "[tamper]") {
  const Sample sample;
  Header header = sample.header;
  header.plain_bytes = 2 * kChunk;
  const std::vector<std::byte> bytes = header.Encode();
  std::string file(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  file += sample.chunk_bytes(0) + sample.chunk_bytes(1);
  CHECK_THAT(ErrorOf(file, sample.ring), Contains("sealed header: its MAC does not fit"));
}

// Also the only chunk of an empty file is bound to it.
TEST_CASE("An empty file cannot be made longer", "[tamper]") {
  const std::string file = Sealed("");
  std::string changed = file;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  CHECK_THAT(ErrorOf(changed, SampleRing()), Contains("chunk 0 of 1"));
  CHECK_THAT(ErrorOf(file.substr(0, file.size() - 16), SampleRing()), Contains("16 are cut off"));
}

}  // namespace
}  // namespace omserve::sealed
