// SPDX-License-Identifier: Apache-2.0
// Any bytes through the picture decoder: they give a picture of the size it says, or an error.
//
// PNG guards each chunk with a checksum that a mutation breaks, so that libpng would look no
// further. Here checksums are repaired first, unless the input's last bit says otherwise.
#include <zlib.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "runtime/hostops/image_codec.h"

namespace {

constexpr int64_t kMaxPixels = 1 << 16;
constexpr size_t kPngStartSize = 8;
constexpr size_t kChunkOverhead = 12;  // Length, name and checksum, four bytes each.

uint32_t LoadBigEndian(const uint8_t* from) {
  return uint32_t{from[0]} << 24 | uint32_t{from[1]} << 16 | uint32_t{from[2]} << 8 | from[3];
}

void RepairChecksums(std::vector<uint8_t>* png) {
  size_t at = kPngStartSize;
  while (at + kChunkOverhead <= png->size()) {
    uint8_t* chunk = png->data() + at;
    const size_t length = LoadBigEndian(chunk);
    if (length > png->size() - at - kChunkOverhead) {
      return;
    }
    const uLong sum = crc32(0, chunk + 4, static_cast<uInt>(length + 4));
    for (size_t i = 0; i < 4; ++i) {
      chunk[8 + length + i] = static_cast<uint8_t>(sum >> (24 - 8 * i));
    }
    at += kChunkOverhead + length;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<uint8_t> bytes(data, data + size);
  if (size > 0 && (bytes.back() & 1U) == 0) {
    RepairChecksums(&bytes);
  }
  const auto picture = omserve::hostops::DecodePicture(std::as_bytes(std::span(bytes)), kMaxPixels);
  if (picture.ok()) {
    const int64_t pixels = int64_t{picture->width} * picture->height;
    if (pixels < 1 || pixels > kMaxPixels ||
        picture->rgb.size() != static_cast<size_t>(pixels) * 3) {
      std::abort();
    }
  }
  return 0;
}
