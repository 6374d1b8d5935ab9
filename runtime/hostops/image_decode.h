// SPDX-License-Identifier: Apache-2.0
// Host op "image_decode": an encoded picture to the tensor a vision model takes.
#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "runtime/hostops/host_op.h"

namespace omserve::hostops {

// Input "bytes" BYTES [1]: one JPEG or PNG a row. Output "image" FP32 [channels, height, width].
//
// An output value is (pixel * scale - mean) / std, with pixel from 0 to 255 after resizing.
//
// | parameter | default | meaning |
// |---|---|---|
// | width, height | must be given | size of the output, 1 to 16384 |
// | channels | 3 | 3: red, green, blue. 1: gray, 0.299 R + 0.587 G + 0.114 B |
// | resize | bilinear | bilinear, nearest; letterbox: bilinear with the aspect kept, centred; |
// | | | none: a picture of another size is refused |
// | antialias | false | bilinear, letterbox: when shrinking, average over all pixels |
// | pad_value | 0 | letterbox: the pixel around the picture, 0 to 255 |
// | scale | 1/255 | factor that comes first |
// | mean, std | 0, 1 | one number, or `channels` of them separated by commas |
// | max_pixels | 67108864 | width x height of an accepted picture, tested before decoding |
// | input, output | bytes, image | names of the tensors |
//
// Which pictures are taken and what becomes of transparency: image_codec.h.
absl::StatusOr<std::unique_ptr<HostOp>> MakeImageDecode(const HostOpConfig& config);

}  // namespace omserve::hostops
