// SPDX-License-Identifier: Apache-2.0
// JPEG to pixels by libjpeg-turbo. Callers want DecodePicture of image_codec.h, which says the
// rules.
#pragma once

#include "runtime/hostops/image_codec.h"

namespace omserve::hostops {

// Contract and errors as for DecodePicture. Baseline and progressive, gray and colour.
absl::StatusOr<Picture> DecodeJpeg(std::span<const std::byte> encoded, int64_t max_pixels);

}  // namespace omserve::hostops
