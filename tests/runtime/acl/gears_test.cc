// SPDX-License-Identifier: Apache-2.0
#include "runtime/acl/gears.h"

#include <catch2/catch.hpp>
#include <string>

#include "tests/status_test_util.h"

namespace omserve::acl {
namespace {

using Catch::Matchers::Contains;

std::vector<ModelTensor> Inputs(const std::vector<Dims>& all_dims) {
  std::vector<ModelTensor> inputs;
  for (const Dims& dims : all_dims) {
    inputs.push_back({.name = std::string(1, static_cast<char>('a' + inputs.size())),
                      .type = DataType::kFp32,
                      .dims = dims,
                      .max_bytes = 0});
  }
  return inputs;
}

std::string RefusalOf(GearKind kind, const std::vector<Dims>& dims, std::vector<int64_t> values) {
  const absl::StatusOr<Gear> gear = MakeGear(kind, Inputs(dims), std::move(values));
  REQUIRE(gear.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(gear.status()));
}

// Without gears the file's dims are the only size.
TEST_CASE("a model without gears has its own dims") {
  const Gear gear = VALUE(MakeGear(GearKind::kNone, Inputs({{2, 3}, {}}), {}));
  CHECK(gear.input_dims == std::vector<Dims>{{2, 3}, {}});
}

// Open dims without gears are a range of sizes, which is not served.
TEST_CASE("open dims without gears are refused") {
  CHECK_THAT(RefusalOf(GearKind::kNone, {{2}, {-1, 3}}, {}),
             Contains("input 'b'") && Contains("[-1,3]") && Contains("--dynamic_batch_size"));
}

// The batch stands for every open dim; closed inputs stay.
TEST_CASE("a batch gear fills every open dim") {
  const Gear gear = VALUE(MakeGear(GearKind::kBatch, Inputs({{-1, 3}, {7}, {5, -1}}), {4}));
  CHECK(gear.input_dims == std::vector<Dims>{{4, 3}, {7}, {5, 4}});
  CHECK(gear.values == std::vector<int64_t>{4});
}

// Height and width go to the two open dims of each picture, in this order.
TEST_CASE("an image gear fills height and width") {
  const Gear gear = VALUE(MakeGear(GearKind::kImage, Inputs({{1, 3, -1, -1}, {7}}), {224, 160}));
  CHECK(gear.input_dims == std::vector<Dims>{{1, 3, 224, 160}, {7}});
}

// Three open dims cannot be height and width.
TEST_CASE("an image gear that does not fit its input is refused") {
  CHECK_THAT(RefusalOf(GearKind::kImage, {{-1, 3, -1, -1}}, {224, 160}),
             Contains("input 'a'") && Contains("2 open dims"));
}

// A gear of dims is cut up among the inputs in order.
TEST_CASE("a dims gear is split among the inputs") {
  const Gear gear = VALUE(MakeGear(GearKind::kDims, Inputs({{-1, 3}, {}, {-1}}), {2, 3, 9}));
  CHECK(gear.input_dims == std::vector<Dims>{{2, 3}, {}, {9}});
}

// Too few, too many and contradicting dims come from a damaged file and are refused.
TEST_CASE("a dims gear that does not fit the inputs is refused") {
  CHECK_THAT(RefusalOf(GearKind::kDims, {{-1, 3}, {-1}}, {2, 3}), Contains("input 'b'"));
  CHECK_THAT(RefusalOf(GearKind::kDims, {{-1, 3}}, {2, 3, 4}), Contains("has 3 dims"));
  CHECK_THAT(RefusalOf(GearKind::kDims, {{-1, 3}}, {2, 4}), Contains("[2,4]"));
  CHECK_THAT(RefusalOf(GearKind::kDims, {{-1, 3}}, {}), Contains("has 0 dims"));
}

// Sizes below 1 and products beyond 64 bits come from a damaged file and are refused.
TEST_CASE("impossible sizes are refused") {
  CHECK_THAT(RefusalOf(GearKind::kBatch, {{-1}}, {0}), Contains("size 0"));
  CHECK_THAT(RefusalOf(GearKind::kBatch, {{-1}}, {-8}), Contains("size -8"));
  CHECK_THAT(RefusalOf(GearKind::kBatch, {{-1, -1}}, {int64_t{1} << 40}), Contains("64 bits"));
  CHECK_THAT(RefusalOf(GearKind::kNone, {{-2}}, {}), Contains("[-2]"));
}

// Gears come in the file's order and are sorted by how much they hold.
TEST_CASE("gears are sorted by the product of the input dims") {
  std::vector<Gear> gears;
  for (const std::vector<int64_t>& values :
       std::vector<std::vector<int64_t>>{{8, 8}, {1, 64}, {64, 1}, {1, 1}, {2, 64}}) {
    gears.push_back(VALUE(MakeGear(GearKind::kDims, Inputs({{-1, -1}}), values)));
  }
  SortGears(gears);
  std::vector<Dims> order;
  for (const Gear& gear : gears) {
    order.push_back(gear.input_dims[0]);
  }
  CHECK(order == std::vector<Dims>{{1, 1}, {1, 64}, {8, 8}, {64, 1}, {2, 64}});
}

}  // namespace
}  // namespace omserve::acl
