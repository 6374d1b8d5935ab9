// SPDX-License-Identifier: Apache-2.0
#include "tests/runtime/hostops/picture_test_util.h"

// jpeglib.h needs FILE and size_t to be declared before it.
// clang-format off
#include <cstddef>
#include <cstdio>

#include <jpeglib.h>
#include <png.h>
// clang-format on

#include <catch2/catch.hpp>
#include <cstdlib>
#include <memory>

namespace omserve::hostops {
namespace {

void AppendTo(png_structp png, png_bytep bytes, png_size_t size) {
  static_cast<std::string*>(png_get_io_ptr(png))->append(reinterpret_cast<char*>(bytes), size);
}

size_t BitsPerPixel(const PngOptions& options) {
  const size_t channels = options.color_type == 2   ? 3
                          : options.color_type == 4 ? 2
                          : options.color_type == 6 ? 4
                                                    : 1;
  return channels * static_cast<size_t>(options.bit_depth);
}

}  // namespace

std::string EncodePng(const PngOptions& options) {
  const size_t row_bytes = (static_cast<size_t>(options.width) * BitsPerPixel(options) + 7) / 8;
  const auto height = static_cast<size_t>(options.height);
  REQUIRE(options.rows.size() == row_bytes * height);
  png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, nullptr);
  png_infop info = png_create_info_struct(png);
  std::string encoded;
  png_set_write_fn(png, &encoded, AppendTo, nullptr);
  png_set_IHDR(png, info, static_cast<png_uint_32>(options.width),
               static_cast<png_uint_32>(options.height), options.bit_depth, options.color_type,
               options.interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
               PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
  std::vector<png_color> palette;
  for (size_t i = 0; i + 2 < options.palette.size(); i += 3) {
    palette.push_back({options.palette[i], options.palette[i + 1], options.palette[i + 2]});
  }
  if (!palette.empty()) {
    png_set_PLTE(png, info, palette.data(), static_cast<int>(palette.size()));
  }
  std::vector<uint8_t> rows = options.rows;
  std::vector<png_bytep> pointers;
  for (size_t y = 0; y < height; ++y) {
    pointers.push_back(rows.data() + y * row_bytes);
  }
  png_write_info(png, info);
  png_write_image(png, pointers.data());
  png_write_end(png, info);
  png_destroy_write_struct(&png, &info);
  return encoded;
}

std::string EncodeJpeg(const JpegOptions& options) {
  const size_t row_bytes =
      static_cast<size_t>(options.width) * static_cast<size_t>(options.components);
  REQUIRE(options.rows.size() == row_bytes * static_cast<size_t>(options.height));
  jpeg_compress_struct encoder{};
  jpeg_error_mgr errors{};
  encoder.err = jpeg_std_error(&errors);
  jpeg_create_compress(&encoder);
  unsigned char* memory = nullptr;
  unsigned long size = 0;  // NOLINT: libjpeg's type.
  jpeg_mem_dest(&encoder, &memory, &size);
  encoder.image_width = static_cast<JDIMENSION>(options.width);
  encoder.image_height = static_cast<JDIMENSION>(options.height);
  encoder.input_components = options.components;
  encoder.in_color_space = options.components == 1   ? JCS_GRAYSCALE
                           : options.components == 3 ? JCS_RGB
                                                     : JCS_CMYK;
  jpeg_set_defaults(&encoder);
  jpeg_set_quality(&encoder, options.quality, TRUE);
  if (options.progressive) {
    jpeg_simple_progression(&encoder);
  }
  // One component each, all coefficients, all bits.
  const jpeg_scan_info scans[] = {
      {1, {0}, 0, 63, 0, 0}, {1, {1}, 0, 63, 0, 0}, {1, {2}, 0, 63, 0, 0}};
  if (options.separate_scans) {
    encoder.scan_info = scans;
    encoder.num_scans = 3;
  }
  std::vector<uint8_t> rows = options.rows;
  jpeg_start_compress(&encoder, TRUE);
  while (encoder.next_scanline < encoder.image_height) {
    JSAMPROW row = rows.data() + encoder.next_scanline * row_bytes;
    jpeg_write_scanlines(&encoder, &row, 1);
  }
  jpeg_finish_compress(&encoder);
  jpeg_destroy_compress(&encoder);
  const std::unique_ptr<unsigned char, decltype(&std::free)> owner(memory, std::free);
  return {reinterpret_cast<const char*>(memory), size};
}

std::vector<uint8_t> ReferencePixels(const std::string& png) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  REQUIRE(png_image_begin_read_from_memory(&image, png.data(), png.size()) != 0);
  image.format = PNG_FORMAT_RGB;
  std::vector<uint8_t> pixels(PNG_IMAGE_SIZE(image));
  REQUIRE(png_image_finish_read(&image, nullptr, pixels.data(), 0, nullptr) != 0);
  return pixels;
}

std::vector<uint8_t> Gradient(int width, int height) {
  std::vector<uint8_t> pixels;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int across = 255 * x / width;
      const int down = 255 * y / height;
      pixels.push_back(static_cast<uint8_t>(across));
      pixels.push_back(static_cast<uint8_t>(down));
      pixels.push_back(static_cast<uint8_t>(255 - (across + down) / 2));
    }
  }
  return pixels;
}

}  // namespace omserve::hostops
