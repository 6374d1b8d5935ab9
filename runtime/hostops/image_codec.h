// SPDX-License-Identifier: Apache-2.0
// Encoded pictures to pixels: JPEG by libjpeg-turbo, PNG by libpng.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve::hostops {

// Eight bits a channel, red first; rows from the top, without padding.
struct Picture {
  int width = 0;
  int height = 0;
  std::vector<uint8_t> rgb;  // [height, width, 3]
};

// Decodes one picture of either format, told by its first bytes.
//
// What becomes of other pixels: gray is spread to three channels; a palette is looked up; 16 bits
// are rounded to 8; transparency is dropped, which leaves the colours under it, as the pipelines
// that train models do; gamma, colour profiles and EXIF orientation are not applied, for the same
// reason. CMYK pictures are refused.
//
// `max_pixels` bounds width x height. It is compared with the header, before memory for pixels is
// taken. Any bytes may be given. Thread-safe.
// Errors: kInvalidArgument for an unknown format, a corrupt or truncated picture, or too many
// pixels; the message starts with the format.
absl::StatusOr<Picture> DecodePicture(std::span<const std::byte> encoded, int64_t max_pixels);

}  // namespace omserve::hostops
