// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/image_codec.h"

#include <algorithm>
#include <array>

#include "runtime/base/errors.h"
#include "runtime/hostops/jpeg_decoder.h"
#include "runtime/hostops/png_decoder.h"

namespace omserve::hostops {
namespace {

constexpr std::array<uint8_t, 8> kPngStart = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
constexpr std::array<uint8_t, 3> kJpegStart = {0xff, 0xd8, 0xff};

template <size_t N>
bool StartsWith(std::span<const std::byte> bytes, const std::array<uint8_t, N>& start) {
  return bytes.size() >= N &&
         std::equal(start.begin(), start.end(), bytes.begin(),
                    [](uint8_t a, std::byte b) { return a == std::to_integer<uint8_t>(b); });
}

}  // namespace

absl::StatusOr<Picture> DecodePicture(std::span<const std::byte> encoded, int64_t max_pixels) {
  if (StartsWith(encoded, kPngStart)) {
    return DecodePng(encoded, max_pixels);
  }
  if (StartsWith(encoded, kJpegStart)) {
    return DecodeJpeg(encoded, max_pixels);
  }
  std::string start;
  for (const std::byte byte : encoded.first(std::min<size_t>(encoded.size(), 4))) {
    start += fmt::format(" {:02x}", std::to_integer<unsigned>(byte));
  }
  return InvalidArgument("{} bytes{}{} are no picture known here, expected a PNG or JPEG picture",
                         encoded.size(), start.empty() ? "" : " starting with", start);
}

}  // namespace omserve::hostops
