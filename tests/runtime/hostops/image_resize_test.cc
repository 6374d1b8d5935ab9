// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostops/image_resize.h"

#include <catch2/catch.hpp>
#include <numeric>

namespace omserve::hostops {
namespace {

// A one-channel row as a picture with three equal channels.
Picture RowPicture(const std::vector<uint8_t>& values) {
  Picture picture{static_cast<int>(values.size()), 1, {}};
  for (const uint8_t value : values) {
    picture.rgb.insert(picture.rgb.end(), {value, value, value});
  }
  return picture;
}

// The red plane of `values` resized to `width`.
std::vector<float> Resized(const std::vector<uint8_t>& values, int width, ResizeFilter filter) {
  const Picture picture = RowPicture(values);
  const AxisTaps columns = MakeAxisTaps(picture.width, width, filter);
  std::vector<float> planes(3 * static_cast<size_t>(width));
  SampleRow(picture, columns, MakeAxisTaps(1, 1, filter), 0, planes);
  planes.resize(static_cast<size_t>(width));
  return planes;
}

void CheckNear(const std::vector<float>& actual, const std::vector<float>& expected) {
  REQUIRE(actual.size() == expected.size());
  for (size_t i = 0; i < actual.size(); ++i) {
    CAPTURE(i);
    CHECK(actual[i] == Approx(expected[i]).margin(1e-4));
  }
}

// Two pixels doubled: the centres lie a quarter away, and the edges repeat.
TEST_CASE("Bilinear doubling has the known answer") {
  CheckNear(Resized({0, 100}, 4, ResizeFilter::kBilinear), {0, 25, 75, 100});
  CheckNear(Resized({0, 100}, 4, ResizeFilter::kBilinearAntialias), {0, 25, 75, 100});
}

// Halving takes the mean of the two pixels around each centre.
TEST_CASE("Bilinear halving has the known answer") {
  CheckNear(Resized({0, 10, 20, 30}, 2, ResizeFilter::kBilinear), {5, 25});
}

// Four pixels to one: without antialiasing only the middle two count. With it all do, under a
// triangle that reaches four pixels to each side of the centre, which weighs them 5 : 7 : 7 : 5.
TEST_CASE("Antialiasing averages over all pixels when shrinking") {
  CheckNear(Resized({200, 0, 0, 200}, 1, ResizeFilter::kBilinear), {0});
  CheckNear(Resized({200, 0, 0, 200}, 1, ResizeFilter::kBilinearAntialias), {200.0F * 10 / 24});
}

// The pixel under each centre, growing and shrinking.
TEST_CASE("Nearest has the known answer") {
  CheckNear(Resized({10, 20}, 4, ResizeFilter::kNearest), {10, 10, 20, 20});
  CheckNear(Resized({10, 20, 30, 40, 50, 60}, 2, ResizeFilter::kNearest), {20, 50});
}

// The same size changes nothing, whatever the filter, and costs one pixel a pixel.
TEST_CASE("Resizing to the same size is the identity") {
  for (const ResizeFilter filter :
       {ResizeFilter::kNearest, ResizeFilter::kBilinear, ResizeFilter::kBilinearAntialias}) {
    CheckNear(Resized({3, 1, 4, 1, 5, 9}, 6, filter), {3, 1, 4, 1, 5, 9});
    const AxisTaps taps = MakeAxisTaps(6, 6, filter);
    CHECK(taps.weights == std::vector<float>(6, 1.0F));
  }
}

// For any pair of sizes, each run stays inside the source and its weights sum to 1.
TEST_CASE("Weights sum to one and stay inside the source") {
  for (const ResizeFilter filter :
       {ResizeFilter::kNearest, ResizeFilter::kBilinear, ResizeFilter::kBilinearAntialias}) {
    for (int source = 1; source <= 40; ++source) {
      for (int result = 1; result <= 40; ++result) {
        const AxisTaps taps = MakeAxisTaps(source, result, filter);
        REQUIRE(taps.runs.size() == static_cast<size_t>(result));
        for (const AxisTaps::Run& run : taps.runs) {
          REQUIRE(run.first >= 0);
          REQUIRE(run.count >= 1);
          REQUIRE(run.first + run.count <= source);
          const float* first = taps.weights.data() + run.weight_index;
          REQUIRE(std::accumulate(first, first + run.count, 0.0) == Approx(1).margin(1e-5));
        }
      }
    }
  }
}

// Channels are kept apart and rows are mixed as columns are.
TEST_CASE("Both axes and all channels are resized") {
  const Picture picture{1, 2, {0, 10, 20, 100, 50, 40}};
  const AxisTaps columns = MakeAxisTaps(1, 1, ResizeFilter::kBilinear);
  const AxisTaps rows = MakeAxisTaps(2, 1, ResizeFilter::kBilinear);
  std::vector<float> planes(3);
  SampleRow(picture, columns, rows, 0, planes);
  CheckNear(planes, {50, 30, 30});
}

}  // namespace
}  // namespace omserve::hostops
