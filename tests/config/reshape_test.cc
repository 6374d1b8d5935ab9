// SPDX-License-Identifier: Apache-2.0
#include "config/reshape.h"

#include <catch2/catch.hpp>
#include <string>

namespace omserve::config {
namespace {

// As many elements, whatever the rank: also none at all, which is one.
TEST_CASE("reshapes of as many elements are right", "[reshape]") {
  CHECK(ReshapeError(Dims{4}, Dims{2, 2}).empty());
  CHECK(ReshapeError(Dims{1}, Dims{}).empty());
  CHECK(ReshapeError(Dims{}, Dims{1, 1}).empty());
  CHECK(ReshapeError(Dims{2, 4, -1, 6}, Dims{8, -1, 1, 6}).empty());
  CHECK(ReshapeError(Dims{-1, 2, -1}, Dims{1, -1, 2, -1}).empty());
}

// What differs is named, and where.
TEST_CASE("reshapes of other elements are told", "[reshape]") {
  CHECK(ReshapeError(Dims{4}, Dims{2, 3}) ==
        "dims have 4 elements and shape has 6; write as many in both");
  CHECK(ReshapeError(Dims{-1}, Dims{4}) ==
        "dims have 1 of -1 and shape has 0; write as many in both");
  CHECK(ReshapeError(Dims{2, -1, 6}, Dims{-1, 2, 6}) ==
        "dims have 2 elements before the first -1 and shape has 1; write as many in both");
  CHECK(ReshapeError(Dims{2, -1, 6}, Dims{2, -1, 3}) ==
        "dims have 6 elements behind -1 number 1 and shape has 3; write as many in both");
  const int64_t large = int64_t{1} << 40;
  CHECK(ReshapeError(Dims{large, large}, Dims{1}) == "they are too large for a tensor");
}

// Each -1 is that of the other side.
TEST_CASE("open sizes are carried over", "[reshape]") {
  CHECK(WithOpenSizes(Dims{4}, Dims{2, 2}, Dims{2, 2}) == Dims{4});
  CHECK(WithOpenSizes(Dims{1}, Dims{}, Dims{}) == Dims{1});
  CHECK(WithOpenSizes(Dims{2, -1, 6, -1}, Dims{1, 2, -1, -1, 6}, Dims{1, 2, 7, 9, 6}) ==
        Dims{2, 7, 6, 9});
  CHECK(WithOpenSizes(Dims{-1, 2}, Dims{-1, 2, 1}, Dims{-1, 2, 1}) == Dims{-1, 2});
}

}  // namespace
}  // namespace omserve::config
