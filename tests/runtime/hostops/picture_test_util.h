// SPDX-License-Identifier: Apache-2.0
// Pictures made by the libraries' encoders, and read back by libpng's simplified interface, which
// shares no code of ours.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace omserve::hostops {

struct PngOptions {
  int width = 0;
  int height = 0;
  int color_type = 2;  // 0 gray, 2 RGB, 3 palette, 4 gray and alpha, 6 RGBA.
  int bit_depth = 8;
  bool interlaced = false;
  std::vector<uint8_t> rows;     // Packed as the format has it, rows from the top.
  std::vector<uint8_t> palette;  // Triples, for palette pictures.
};
std::string EncodePng(const PngOptions& options);

struct JpegOptions {
  int width = 0;
  int height = 0;
  int components = 3;  // 1 gray, 3 RGB, 4 CMYK.
  int quality = 95;
  bool progressive = false;
  bool separate_scans = false;  // One scan a component; three components only.
  std::vector<uint8_t> rows;    // [height, width, components]
};
std::string EncodeJpeg(const JpegOptions& options);

// [height, width, 3] of an opaque eight-bit PNG.
std::vector<uint8_t> ReferencePixels(const std::string& png);

// [height, width, 3]: red grows to the right, green downwards, blue falls with both.
std::vector<uint8_t> Gradient(int width, int height);

}  // namespace omserve::hostops
