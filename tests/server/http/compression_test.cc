// SPDX-License-Identifier: Apache-2.0
#include "server/http/compression.h"

#include <array>
#include <catch2/catch.hpp>
#include <string>

#include "server/http/content_coding.h"
#include "server/http/request_body.h"

namespace omserve::server {
namespace {

constexpr ContentCoding kCodings[] = {ContentCoding::kGzip, ContentCoding::kDeflate};

std::string Text(size_t bytes) {
  std::string text;
  for (size_t i = 0; text.size() < bytes; ++i) {
    text += std::to_string(i * 2654435761U) + ",";
  }
  text.resize(bytes);
  return text;
}

std::string CompressedText(ContentCoding coding, const std::string& text) {
  return Compressed(coding, std::array<std::string_view, 1>{text});
}

// There and back, whatever pieces it comes in, and with an output that ends on a step.
TEST_CASE("Compression: there and back", "[1.7/gzip][1.7/deflate]") {
  for (const ContentCoding coding : kCodings) {
    for (const size_t size :
         {size_t{0}, size_t{1}, size_t{64 * 1024}, size_t{64 * 1024 + 1}, size_t{1'000'000}}) {
      const std::string text = Text(size);
      const std::string_view whole = text;
      const std::string packed =
          Compressed(coding, std::array{whole.substr(0, size / 3), whole.substr(size / 3)});
      for (const size_t step : {size_t{1}, size_t{777}, packed.size()}) {
        if (step == 1 && size > 100'000) {
          continue;
        }
        Inflater inflater(coding);
        std::string out;
        for (size_t at = 0; at < packed.size(); at += step) {
          REQUIRE_FALSE(inflater.IsWhole());
          REQUIRE(inflater.Put(std::string_view(packed).substr(at, step), size, out) ==
                  Inflater::Result::kGood);
        }
        CHECK(inflater.IsWhole());
        CHECK(out == text);
      }
    }
  }
}

// A stream that makes more than the limit is found before memory is taken for it.
TEST_CASE("Compression: a bomb", "[1.7/size-limit]") {
  for (const ContentCoding coding : kCodings) {
    const std::string bomb = CompressedText(coding, std::string(20'000'000, 'x'));
    CHECK(bomb.size() < 200'000);
    Inflater inflater(coding);
    std::string out;
    CHECK(inflater.Put(bomb, 100'000, out) == Inflater::Result::kTooLong);
    CHECK(out.capacity() < 1'000'000);
    const std::string fits = CompressedText(coding, std::string(100'000, 'x'));
    Inflater second(coding);
    out.clear();
    CHECK(second.Put(fits, 100'000, out) == Inflater::Result::kGood);
    CHECK(second.IsWhole());
  }
}

// What is no stream, what is none any longer after a while, and what comes after the end.
TEST_CASE("Compression: damage", "[1.7/gzip][1.7/deflate]") {
  for (const ContentCoding coding : kCodings) {
    const std::string good = CompressedText(coding, Text(10'000));
    std::string out;
    CHECK(Inflater(coding).Put("{\"inputs\":[]}", 1'000'000, out) == Inflater::Result::kDamaged);
    std::string flipped = good;
    flipped[good.size() - 2] = static_cast<char>(flipped[good.size() - 2] ^ 1);  // The checksum.
    CHECK(Inflater(coding).Put(flipped, 1'000'000, out) == Inflater::Result::kDamaged);
    Inflater cut(coding);
    CHECK(cut.Put(good.substr(0, good.size() - 1), 1'000'000, out) == Inflater::Result::kGood);
    CHECK_FALSE(cut.IsWhole());
    CHECK(Inflater(coding).Put(good + "more", 1'000'000, out) == Inflater::Result::kDamaged);
    out.clear();
    // Two gzip files in a row are one; two zlib streams are not.
    Inflater twice(coding);
    CHECK((twice.Put(good + good, 1'000'000, out) == Inflater::Result::kGood) ==
          (coding == ContentCoding::kGzip));
    CHECK((out == Text(10'000) + Text(10'000)) == (coding == ContentCoding::kGzip));
  }
}

// A body is bounded by what it is when it is decompressed, and has to be whole.
TEST_CASE("Request body: compressed", "[1.7/size-limit]") {
  using Problem = RequestBody::Problem;
  const std::string text = Text(5'000);
  const std::string packed = CompressedText(ContentCoding::kGzip, text);
  RequestBody body(5'000, ContentCoding::kGzip);
  CHECK_FALSE(body.takes_in_place());
  CHECK(body.Put(packed) == Problem::kNone);
  CHECK(body.Finish() == Problem::kNone);
  CHECK(body.Take() == text);
  RequestBody small(4'999, ContentCoding::kGzip);
  CHECK(small.Put(packed) == Problem::kTooLong);
  RequestBody cut(5'000, ContentCoding::kGzip);
  CHECK(cut.Put(packed.substr(0, 100)) == Problem::kNone);
  CHECK(cut.Finish() == Problem::kDamaged);
  RequestBody empty(5'000, ContentCoding::kGzip);  // Nothing needs no stream.
  CHECK(empty.Finish() == Problem::kNone);
  RequestBody plain(10);
  CHECK(plain.Put("12345") == Problem::kNone);
  CHECK(plain.Grow(100).size() == 5);
  plain.Shrink(5);
  CHECK(plain.Put("123456") == Problem::kTooLong);
}

TEST_CASE("Content coding: of a request", "[1.7/unknown-coding][1.7/identity]") {
  CHECK(ContentCodingOf("") == ContentCoding::kIdentity);
  CHECK(ContentCodingOf("identity") == ContentCoding::kIdentity);
  CHECK(ContentCodingOf(" GZip ") == ContentCoding::kGzip);
  CHECK(ContentCodingOf("deflate") == ContentCoding::kDeflate);
  CHECK_FALSE(ContentCodingOf("br").has_value());
  CHECK_FALSE(ContentCodingOf("gzip, deflate").has_value());
}

TEST_CASE("Content coding: of an answer", "[1.7/answer]") {
  const auto check = [](const char* accepted, ContentCoding coding) {
    INFO(accepted);
    CHECK(ContentCodingName(ChooseContentCoding(accepted)) == ContentCodingName(coding));
  };
  check("", ContentCoding::kIdentity);
  check("br", ContentCoding::kIdentity);
  check("gzip, deflate, br", ContentCoding::kGzip);
  check("deflate, gzip", ContentCoding::kGzip);
  check("deflate", ContentCoding::kDeflate);
  check("gzip;q=0.5, deflate ; Q=0.8", ContentCoding::kDeflate);
  check("gzip;q=0, deflate;q=0.001", ContentCoding::kDeflate);
  check("gzip;q=0,deflate;q=0.0", ContentCoding::kIdentity);
  check("*", ContentCoding::kGzip);
  check("gzip;q=0, *;q=0.3", ContentCoding::kDeflate);
  check("identity, gzip;q=0.5", ContentCoding::kIdentity);
  check("identity;q=0.5, gzip", ContentCoding::kGzip);
  check("gzip;q=x", ContentCoding::kIdentity);
  check(",;=,,q", ContentCoding::kIdentity);
}

}  // namespace
}  // namespace omserve::server
