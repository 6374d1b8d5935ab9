// SPDX-License-Identifier: Apache-2.0
// PNG to pixels by libpng. Callers want DecodePicture of image_codec.h, which says the rules.
#pragma once

#include "runtime/hostops/image_codec.h"

namespace omserve::hostops {

// Contract and errors as for DecodePicture. Interlaced pictures are decoded whole.
absl::StatusOr<Picture> DecodePng(std::span<const std::byte> encoded, int64_t max_pixels);

}  // namespace omserve::hostops
