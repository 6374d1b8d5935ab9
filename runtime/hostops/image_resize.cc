// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/image_resize.h"

#include <algorithm>
#include <cmath>

#include "runtime/base/check.h"

namespace omserve::hostops {
namespace {

// Appends the triangle of half width `support` around `center`, cut at the edges and normalised.
AxisTaps::Run AppendTriangle(int source_size, double center, double support,
                             std::vector<float>* weights) {
  const int first = std::max(0, static_cast<int>(std::floor(center - support)) + 1);
  const int last = std::min(source_size - 1, static_cast<int>(std::ceil(center + support)) - 1);
  double sum = 0;
  for (int k = first; k <= last; ++k) {
    sum += 1 - std::abs(k - center) / support;
  }
  const AxisTaps::Run run{first, last - first + 1, weights->size()};
  for (int k = first; k <= last; ++k) {
    weights->push_back(static_cast<float>((1 - std::abs(k - center) / support) / sum));
  }
  return run;
}

}  // namespace

AxisTaps MakeAxisTaps(int source_size, int result_size, ResizeFilter filter) {
  OMSERVE_CHECK(source_size >= 1 && result_size >= 1, "pictures have at least one pixel");
  const double scale = static_cast<double>(source_size) / result_size;
  AxisTaps taps;
  taps.runs.reserve(static_cast<size_t>(result_size));
  for (int i = 0; i < result_size; ++i) {
    const double edge = (i + 0.5) * scale;
    if (filter == ResizeFilter::kNearest) {
      const int nearest = std::min(source_size - 1, static_cast<int>(edge));
      taps.runs.push_back({nearest, 1, taps.weights.size()});
      taps.weights.push_back(1);
      continue;
    }
    const double support = filter == ResizeFilter::kBilinearAntialias ? std::max(1.0, scale) : 1.0;
    taps.runs.push_back(AppendTriangle(source_size, edge - 0.5, support, &taps.weights));
  }
  return taps;
}

void SampleRow(const Picture& picture, const AxisTaps& columns, const AxisTaps& rows, size_t y,
               std::span<float> planes) {
  const size_t width = columns.runs.size();
  OMSERVE_CHECK(planes.size() == 3 * width, "a row has three planes");
  const size_t stride = static_cast<size_t>(picture.width) * 3;
  const AxisTaps::Run& down = rows.runs[y];
  for (size_t x = 0; x < width; ++x) {
    const AxisTaps::Run& across = columns.runs[x];
    float red = 0;
    float green = 0;
    float blue = 0;
    for (int v = 0; v < down.count; ++v) {
      const float row_weight = rows.weights[down.weight_index + static_cast<size_t>(v)];
      const uint8_t* pixel = picture.rgb.data() + static_cast<size_t>(down.first + v) * stride +
                             static_cast<size_t>(across.first) * 3;
      for (int u = 0; u < across.count; ++u, pixel += 3) {
        const float weight =
            row_weight * columns.weights[across.weight_index + static_cast<size_t>(u)];
        red += weight * pixel[0];
        green += weight * pixel[1];
        blue += weight * pixel[2];
      }
    }
    planes[x] = red;
    planes[width + x] = green;
    planes[2 * width + x] = blue;
  }
}

}  // namespace omserve::hostops
