// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/image_codec.h"

#include <catch2/catch.hpp>
#include <cstdlib>

#include "tests/runtime/hostops/host_op_test_util.h"
#include "tests/runtime/hostops/picture_test_util.h"

namespace omserve::hostops {
namespace {

using Catch::Matchers::Contains;

constexpr int64_t kMany = 1 << 20;

absl::StatusOr<Picture> Decode(const std::string& encoded, int64_t max_pixels = kMany) {
  return DecodePicture(std::as_bytes(std::span(encoded)), max_pixels);
}

int LargestDifference(const std::vector<uint8_t>& a, const std::vector<uint8_t>& b) {
  REQUIRE(a.size() == b.size());
  int largest = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(int{a[i]} - int{b[i]}));
  }
  return largest;
}

// Where eight-bit RGB was stored, exactly that comes out, interlaced or not.
TEST_CASE("RGB PNG pictures are decoded exactly") {
  for (const bool interlaced : {false, true}) {
    CAPTURE(interlaced);
    const std::string png =
        EncodePng({.width = 21, .height = 13, .interlaced = interlaced, .rows = Gradient(21, 13)});
    const Picture picture = VALUE(Decode(png));
    CHECK(picture.width == 21);
    CHECK(picture.height == 13);
    CHECK(picture.rgb == Gradient(21, 13));
  }
}

// Gray of any depth is stretched to 0..255 and spread to three channels.
TEST_CASE("Gray PNG pictures become RGB") {
  const Picture one = VALUE(Decode(
      EncodePng({.width = 2, .height = 1, .color_type = 0, .bit_depth = 1, .rows = {0x40}})));
  CHECK(one.rgb == std::vector<uint8_t>{0, 0, 0, 255, 255, 255});
  const Picture two = VALUE(Decode(
      EncodePng({.width = 4, .height = 1, .color_type = 0, .bit_depth = 2, .rows = {0x1b}})));
  CHECK(two.rgb == std::vector<uint8_t>{0, 0, 0, 85, 85, 85, 170, 170, 170, 255, 255, 255});
  const Picture eight = VALUE(Decode(
      EncodePng({.width = 2, .height = 1, .color_type = 0, .bit_depth = 8, .rows = {7, 200}})));
  CHECK(eight.rgb == std::vector<uint8_t>{7, 7, 7, 200, 200, 200});
}

// Sixteen bits are rounded to eight: 0x00ff is nearer to 1 than to 0.
TEST_CASE("PNG pictures of 16 bits are rounded to 8") {
  const Picture picture = VALUE(Decode(EncodePng({.width = 1,
                                                  .height = 1,
                                                  .color_type = 2,
                                                  .bit_depth = 16,
                                                  .rows = {0x00, 0xff, 0x80, 0x80, 0xff, 0xff}})));
  CHECK(picture.rgb == std::vector<uint8_t>{1, 128, 255});
}

// Palette indices are looked up.
TEST_CASE("PNG palettes are looked up") {
  const Picture picture = VALUE(Decode(EncodePng({.width = 3,
                                                  .height = 1,
                                                  .color_type = 3,
                                                  .bit_depth = 2,
                                                  .rows = {0x18},
                                                  .palette = {1, 2, 3, 4, 5, 6, 7, 8, 9}})));
  CHECK(picture.rgb == std::vector<uint8_t>{1, 2, 3, 4, 5, 6, 7, 8, 9});
}

// The colours under a transparent pixel are kept as they are stored.
TEST_CASE("PNG transparency is dropped") {
  const Picture rgba = VALUE(Decode(EncodePng(
      {.width = 2, .height = 1, .color_type = 6, .rows = {10, 20, 30, 0, 40, 50, 60, 128}})));
  CHECK(rgba.rgb == std::vector<uint8_t>{10, 20, 30, 40, 50, 60});
  const Picture gray =
      VALUE(Decode(EncodePng({.width = 1, .height = 1, .color_type = 4, .rows = {99, 0}})));
  CHECK(gray.rgb == std::vector<uint8_t>{99, 99, 99});
}

// Smooth pictures come back from JPEG within a few steps of 255, baseline and progressive.
TEST_CASE("JPEG pictures are decoded within tolerance") {
  for (const bool progressive : {false, true}) {
    CAPTURE(progressive);
    const std::string jpeg = EncodeJpeg(
        {.width = 37, .height = 29, .progressive = progressive, .rows = Gradient(37, 29)});
    const Picture picture = VALUE(Decode(jpeg));
    CHECK(picture.width == 37);
    CHECK(picture.height == 29);
    CHECK(LargestDifference(picture.rgb, Gradient(37, 29)) <= 12);
  }
}

// A gray JPEG has three equal channels.
TEST_CASE("Gray JPEG pictures become RGB") {
  const Picture picture = VALUE(Decode(EncodeJpeg(
      {.width = 8, .height = 8, .components = 1, .rows = std::vector<uint8_t>(64, 77)})));
  CHECK(LargestDifference(picture.rgb, std::vector<uint8_t>(192, 77)) <= 1);
}

// Inks cannot be shown without a profile, so such a picture is refused with a remedy.
TEST_CASE("CMYK JPEG pictures are refused") {
  const std::string jpeg =
      EncodeJpeg({.width = 8, .height = 8, .components = 4, .rows = std::vector<uint8_t>(256, 9)});
  CHECK_THAT(ErrorOf(Decode(jpeg).status()), Contains("JPEG: 4 components") && Contains("convert"));
}

// Nothing, text, and a format that is not known here are refused with their first bytes.
TEST_CASE("Unknown formats are refused") {
  CHECK_THAT(ErrorOf(Decode("").status()), Contains("0 bytes are no picture"));
  CHECK_THAT(ErrorOf(Decode("GIF89a").status()),
             Contains("6 bytes starting with 47 49 46 38") && Contains("expected a PNG or JPEG"));
}

// Wherever a picture is cut, it is refused and nothing is made up for the rest.
TEST_CASE("Pictures cut anywhere are refused") {
  const std::string png = EncodePng({.width = 9, .height = 9, .rows = Gradient(9, 9)});
  const std::string jpeg = EncodeJpeg({.width = 9, .height = 9, .rows = Gradient(9, 9)});
  const std::string progressive =
      EncodeJpeg({.width = 9, .height = 9, .progressive = true, .rows = Gradient(9, 9)});
  for (const std::string& whole : {png, jpeg, progressive}) {
    REQUIRE(Decode(whole).ok());
    for (size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      CHECK(Decode(whole.substr(0, size)).status().code() == absl::StatusCode::kInvalidArgument);
    }
  }
}

// A flipped bit in the pixels breaks a PNG's checksum.
TEST_CASE("A corrupt PNG is refused") {
  std::string png = EncodePng({.width = 16, .height = 16, .rows = Gradient(16, 16)});
  png.at(png.size() / 2) = static_cast<char>(png.at(png.size() / 2) ^ 4);
  CHECK_THAT(ErrorOf(Decode(png).status()), Contains("PNG: ") && Contains("expected a whole PNG"));
}

// Zeros in the middle of a JPEG's data are noticed instead of shown as gray.
TEST_CASE("A corrupt JPEG is refused") {
  std::string jpeg = EncodeJpeg({.width = 64, .height = 64, .rows = Gradient(64, 64)});
  jpeg.replace(jpeg.size() - 60, 40, std::string(20, '\xff') + std::string(20, '\xd9'));
  CHECK_THAT(ErrorOf(Decode(jpeg).status()), Contains("JPEG: ") && Contains("expected a whole"));
}

// Scans that repeat themselves would cost a pass over the picture each, however few their bytes.
TEST_CASE("A JPEG with too many scans is refused") {
  const std::string jpeg =
      EncodeJpeg({.width = 16, .height = 16, .separate_scans = true, .rows = Gradient(16, 16)});
  REQUIRE(Decode(jpeg).ok());
  const size_t last_scan = jpeg.rfind("\xff\xda");
  const std::string scan = jpeg.substr(last_scan, jpeg.size() - 2 - last_scan);
  std::string many = jpeg.substr(0, last_scan);
  for (int i = 0; i < 200; ++i) {
    many += scan;
  }
  many += "\xff\xd9";
  CHECK_THAT(ErrorOf(Decode(many).status()), Contains("JPEG: more than 100 scans"));
}

// A picture of the limit passes; one over it is refused by its header alone, which is all there is
// of the second pair.
TEST_CASE("The limit of pixels is tested on the header") {
  const std::string png = EncodePng({.width = 10, .height = 10, .rows = Gradient(10, 10)});
  const std::string jpeg = EncodeJpeg({.width = 10, .height = 10, .rows = Gradient(10, 10)});
  for (const std::string& whole : {png, jpeg}) {
    CHECK(Decode(whole, 100).ok());
    CHECK_THAT(ErrorOf(Decode(whole, 99).status()),
               Contains("10 x 10 are 100 pixels, expected at most 99") && Contains("max_pixels"));
  }
}

// Sides of two thousand million pixels are refused before memory for them is asked for.
TEST_CASE("Absurd PNG sides are refused") {
  std::string png = EncodePng({.width = 4, .height = 4, .rows = Gradient(4, 4)});
  png.replace(16, 8, "\x7f\xff\xff\xff\x7f\xff\xff\xff");
  CHECK_FALSE(Decode(png).ok());
}

}  // namespace
}  // namespace omserve::hostops
