// SPDX-License-Identifier: Apache-2.0
#include "tools/omc/gear_plan.h"

#include <catch2/catch.hpp>

#include "tests/status_test_util.h"

namespace omserve::omc {
namespace {

using Gears = std::vector<std::vector<int64_t>>;

// ids [N,L], mask [N,L], image [-1,3,8,8]; the last open dim has no name.
const std::vector<OnnxTensor>& Inputs() {
  static const std::vector<OnnxTensor> inputs = {
      {"ids", DataType::kInt64, {-1, -1}, {"N", "L"}},
      {"mask", DataType::kInt64, {-1, -1}, {"N", "L"}},
      {"a:image", DataType::kFp32, {-1, 3, 8, 8}, {"", "", "", ""}}};
  return inputs;
}

std::string ErrorOf(const GearFlags& flags) {
  const absl::StatusOr<GearPlan> plan = PlanGears(Inputs(), flags);
  REQUIRE_FALSE(plan.ok());
  CHECK(plan.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(plan.status()));
}

// Every dim fixed by --input-shape: no gears. A name may hold a colon.
TEST_CASE("a fixed shape needs no gears", "[gear_plan]") {
  const GearPlan plan =
      VALUE(PlanGears(Inputs(), {.input_shape = "ids:2,16; mask: 2, 16 ;a:image:1,3,8,8"}));
  CHECK(plan.kind == om::GearKind::kNone);
  CHECK(plan.gears.empty());
  CHECK(plan.input_dims == std::vector<Dims>{{2, 16}, {2, 16}, {1, 3, 8, 8}});
}

// Batch gears go to dim 0 of the inputs that leave it open, in ascending order.
TEST_CASE("batch gears are sorted", "[gear_plan]") {
  const GearPlan plan =
      VALUE(PlanGears(Inputs(), {.input_shape = "ids:-1,16;mask:-1,16", .batch_gears = "8, 1,4"}));
  CHECK(plan.kind == om::GearKind::kBatch);
  CHECK(plan.gears == Gears{{1}, {4}, {8}});
  CHECK(plan.input_dims[0] == Dims{-1, 16});
}

// Dims gears have one value per open dim of all inputs in order.
TEST_CASE("dims gears have a value per open dim", "[gear_plan]") {
  const GearPlan plan = VALUE(PlanGears(Inputs(), {.dims_gears = "8,32,8,32,8;1,16,1,16,1"}));
  CHECK(plan.kind == om::GearKind::kDims);
  CHECK(plan.gears == Gears{{1, 16, 1, 16, 1}, {8, 32, 8, 32, 8}});
}

// Open dims without gears: the message names them and the flags that help.
TEST_CASE("open dims without gears are refused", "[gear_plan]") {
  const std::string error = ErrorOf({});
  CHECK_THAT(error, Catch::Contains("dim 0 (N) of 'ids'"));
  CHECK_THAT(error, Catch::Contains("dim 0 of 'a:image'"));
  CHECK_THAT(error, Catch::Contains("--input-shape"));
  CHECK_THAT(error, Catch::Contains("--batch-gears"));
  CHECK_THAT(error, Catch::Contains("--dims-gears"));
}

// A dynamic shape has a range for every dim: one size, two ends, or no end.
TEST_CASE("a dynamic shape has ranges", "[gear_plan]") {
  const GearPlan plan = VALUE(
      PlanGears(Inputs(), {.dynamic_shape = "ids:1~8,-1; mask: 1 ~ 8 ,-1;a:image:2,3,8~8,8"}));
  CHECK(plan.kind == om::GearKind::kNone);
  CHECK(plan.input_dims == std::vector<Dims>{{-1, -1}, {-1, -1}, {2, 3, 8, 8}});
  CHECK(plan.ranges[0] == std::vector<om::DimRange>{{1, 8}, {1, -1}});
  CHECK(plan.ranges[1] == plan.ranges[0]);
  CHECK(plan.ranges[2] == std::vector<om::DimRange>{{2, 2}, {3, 3}, {8, 8}, {8, 8}});
}

// Each way to get --dynamic-shape wrong.
TEST_CASE("a wrong --dynamic-shape is refused", "[gear_plan]") {
  const auto error = [](const std::string& text) { return ErrorOf({.dynamic_shape = text}); };
  CHECK_THAT(error("ids"), Catch::Contains("NAME:DIM"));
  CHECK_THAT(error("id:1,2"), Catch::Contains("it has ids [N,L]"));
  CHECK_THAT(error("ids:1~2"), Catch::Contains("has 2 dims"));
  for (const char* range : {"0~2", "2~1", "1~2~3", "~2", "1~", "1~-1", "-2", "x"}) {
    CAPTURE(range);
    CHECK_THAT(error(std::string("ids:1,") + range), Catch::Contains("expected a size, a range"));
  }
  CHECK_THAT(error("ids:1,2;ids:1,2"), Catch::Contains("twice"));
  CHECK_THAT(error("a:image:1,1~4,8,8"), Catch::Contains("fixes it to 3"));
  CHECK_THAT(error("ids:1~2,1~2"), Catch::Contains("mask [N,L] has dims without a size"));
  CHECK_THAT(error("ids:1,2;mask:1,2;a:image:1,3,8,8"), Catch::Contains("--input-shape"));
  CHECK_THAT(error("ids:1~2,3;mask:1~4,3;a:image:1,3,8,8"),
             Catch::Contains("dim N has one range for input 'ids'"));
  CHECK_THAT(ErrorOf({.batch_gears = "1", .dynamic_shape = "ids:1~2,3"}),
             Catch::Contains("stands alone"));
}

// Each way to get --input-shape wrong.
TEST_CASE("a wrong --input-shape is refused", "[gear_plan]") {
  CHECK_THAT(ErrorOf({.input_shape = "ids"}), Catch::Contains("NAME:DIM"));
  CHECK_THAT(ErrorOf({.input_shape = "ids:1,x"}), Catch::Contains("NAME:DIM"));
  CHECK_THAT(ErrorOf({.input_shape = "ids:1,,2"}), Catch::Contains("NAME:DIM"));
  CHECK_THAT(ErrorOf({.input_shape = "ids:1,2;"}), Catch::Contains("NAME:DIM"));
  CHECK_THAT(ErrorOf({.input_shape = "id:1,2"}), Catch::Contains("it has ids [N,L], mask [N,L]"));
  CHECK_THAT(ErrorOf({.input_shape = "ids:1"}), Catch::Contains("has 2 dims"));
  CHECK_THAT(ErrorOf({.input_shape = "ids:0,2"}), Catch::Contains("is 0"));
  CHECK_THAT(ErrorOf({.input_shape = "ids:-2,2"}), Catch::Contains("is -2"));
  CHECK_THAT(ErrorOf({.input_shape = "ids:1,2;ids:1,2"}), Catch::Contains("twice"));
  CHECK_THAT(ErrorOf({.input_shape = "a:image:1,4,8,8"}), Catch::Contains("fixes it to 3"));
  CHECK_THAT(ErrorOf({.input_shape = "a:image:1,-1,8,8"}), Catch::Contains("fixes it to 3"));
}

// Each way to get --batch-gears wrong.
TEST_CASE("wrong batch gears are refused", "[gear_plan]") {
  const std::string shape = "ids:-1,16;mask:-1,16";
  CHECK_THAT(ErrorOf({.batch_gears = "1,2"}), Catch::Contains("dim 1 (L) of 'ids'"));
  CHECK_THAT(ErrorOf({.input_shape = shape, .batch_gears = "1,a"}), Catch::Contains("'1,a'"));
  CHECK_THAT(ErrorOf({.input_shape = shape, .batch_gears = "1,2,1"}), Catch::Contains("[1]"));
  CHECK_THAT(ErrorOf({.input_shape = shape, .batch_gears = "0,2"}), Catch::Contains("[0]"));
  CHECK_THAT(ErrorOf({.input_shape = "ids:1,1;mask:1,1;a:image:1,3,8,8", .batch_gears = "1"}),
             Catch::Contains("no input has an open dim 0"));
  std::string many = "1";
  for (int i = 2; i <= 101; ++i) {
    many += "," + std::to_string(i);
  }
  CHECK_THAT(ErrorOf({.input_shape = shape, .batch_gears = many}), Catch::Contains("101 gears"));
  CHECK_THAT(ErrorOf({.batch_gears = "1", .dims_gears = "1"}), Catch::Contains("exclude"));
}

// Each way to get --dims-gears wrong.
TEST_CASE("wrong dims gears are refused", "[gear_plan]") {
  CHECK_THAT(ErrorOf({.dims_gears = "1,16"}), Catch::Contains("expected 5 numbers"));
  CHECK_THAT(ErrorOf({.dims_gears = "1,16,1,16,1;"}), Catch::Contains("gear ''"));
  CHECK_THAT(ErrorOf({.dims_gears = "1,16,1,16,1;1,16,1,16,1"}), Catch::Contains("twice"));
  CHECK_THAT(ErrorOf({.dims_gears = "1,16,1,16,-1"}), Catch::Contains("below 1"));
  CHECK_THAT(ErrorOf({.input_shape = "ids:1,1;mask:1,1;a:image:1,3,8,8", .dims_gears = "1"}),
             Catch::Contains("no input has an open dim"));
}

// A named dim has one size, whichever input it is in.
TEST_CASE("a named dim cannot have two sizes", "[gear_plan]") {
  CHECK_THAT(ErrorOf({.dims_gears = "1,16,2,16,1"}),
             Catch::Contains("dim N would be 1 for input 'ids' but 2 for input 'mask'"));
  CHECK_THAT(ErrorOf({.input_shape = "ids:1,2;mask:1,3;a:image:1,3,8,8"}),
             Catch::Contains("dim L would be 2"));
}

}  // namespace
}  // namespace omserve::omc
