// SPDX-License-Identifier: Apache-2.0
// Resampling of pictures, a row at a time and without a scaled copy of the whole.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "runtime/hostops/image_codec.h"

namespace omserve::hostops {

enum class ResizeFilter {
  kNearest,            // The pixel the centre falls into.
  kBilinear,           // Two pixels a side; what lies between is skipped when shrinking.
  kBilinearAntialias,  // A triangle as wide as the shrinking asks for; as kBilinear when growing.
};

// For each coordinate of the result, the run of source coordinates it is made of. Weights of a run
// sum to 1. Both axes are computed once per picture.
struct AxisTaps {
  struct Run {
    int first = 0;            // Source coordinate of the first weight.
    int count = 0;            // At least 1; first + count <= the source's size.
    size_t weight_index = 0;  // Into `weights`.
  };
  std::vector<Run> runs;  // One per coordinate of the result.
  std::vector<float> weights;
};

// Pixel centres lie at half coordinates: result coordinate i has its centre at
// (i + 0.5) * source / result - 0.5. What falls outside the source is left out of the mean, which
// for kBilinear is the same as repeating the edge. *Requires* both sizes to be at least 1.
AxisTaps MakeAxisTaps(int source_size, int result_size, ResizeFilter filter);

// Row `y` of the resized picture as red, green and blue planes: `planes` is
// [3, columns.runs.size()], values 0 to 255. The work over all rows is bounded by a constant times
// the larger of the source and the result, whatever their sizes.
void SampleRow(const Picture& picture, const AxisTaps& columns, const AxisTaps& rows, size_t y,
               std::span<float> planes);

}  // namespace omserve::hostops
