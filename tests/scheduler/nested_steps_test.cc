// SPDX-License-Identifier: Apache-2.0
#include "scheduler/nested_steps.h"

#include <catch2/catch.hpp>
#include <string>
#include <utility>

#include "tests/status_test_util.h"

namespace omserve::scheduler {
namespace {

constexpr DataType kF = DataType::kFp32;

Subgraph Model(const std::string& name, std::vector<TensorSpec> inputs,
               std::vector<TensorSpec> outputs) {
  Subgraph model{.name = name};
  model.shape.batched = true;
  model.shape.inputs = std::move(inputs);
  model.shape.outputs = std::move(outputs);
  Bucket bucket;
  for (const TensorSpec& input : model.shape.inputs) {
    bucket.input_dims.push_back(input.dims);
  }
  for (const TensorSpec& output : model.shape.outputs) {
    bucket.output_dims.push_back(output.dims);
    bucket.output_row_bytes.push_back(*TensorBytes(output.type, output.dims));
  }
  bucket.gears = {{1, 0}, {4, 1}};
  model.shape.buckets.push_back(std::move(bucket));
  return model;
}

// x -> first -> (between, side), between + x -> second -> y; the pipeline's outputs are y and side.
struct Inner {
  Subgraph first = Model("first", {{"i", kF, {4}}}, {{"o", kF, {4}}, {"s", kF, {2}}});
  Subgraph second = Model("second", {{"a", kF, {4}}, {"b", kF, {4}}}, {{"o", kF, {8}}});
  std::shared_ptr<const Plan> plan =
      VALUE(BuildPipeline({.name = "inner",
                           .steps = {{.name = "one",
                                      .subgraph = &first,
                                      .input_map = {{"i", "x"}},
                                      .output_map = {{"o", "between"}, {"s", "side"}}},
                                     {.name = "two",
                                      .subgraph = &second,
                                      .input_map = {{"a", "between"}, {"b", "x"}},
                                      .output_map = {{"o", "y"}}}},
                           .inputs = {{"x", kF, {4}}},
                           .outputs = {{"y", kF, {8}}, {"side", kF, {2}}}}));
};

using Map = std::map<std::string, std::string>;

// The outer step's tensors take the place of the inner pipeline's; what stays inside, and the
// steps, are named after it; an output that nobody reads is not made.
TEST_CASE("A nested pipeline's steps take the place of its step") {
  const Inner inner;
  std::vector<StepSpec> steps;
  REQUIRE_OK(
      AddNestedSteps({.name = "all", .input_map = {{"x", "in"}}, .output_map = {{"y", "out"}}},
                     *inner.plan, steps));
  REQUIRE(steps.size() == 2);
  CHECK(steps[0].name == "all.one");
  CHECK(steps[0].subgraph == &inner.first);
  CHECK(steps[0].input_map == Map{{"i", "in"}});
  CHECK(steps[0].output_map == Map{{"o", "all.between"}});
  CHECK(steps[1].name == "all.two");
  CHECK(steps[1].input_map == Map{{"a", "all.between"}, {"b", "in"}});
  CHECK(steps[1].output_map == Map{{"o", "out"}});
}

// The same pipeline twice in one, and once more around that.
TEST_CASE("Nested pipelines build") {
  const Inner inner;
  std::vector<StepSpec> steps;
  REQUIRE_OK(
      AddNestedSteps({.name = "p", .input_map = {{"x", "in"}}, .output_map = {{"y", "left"}}},
                     *inner.plan, steps));
  REQUIRE_OK(AddNestedSteps(
      {.name = "q", .input_map = {{"x", "in"}}, .output_map = {{"y", "right"}, {"side", "more"}}},
      *inner.plan, steps));
  const auto outer = VALUE(BuildPipeline({.name = "outer", .steps = std::move(steps)}));
  CHECK(outer->nodes.size() == 4);
  CHECK(outer->inputs.size() == 1);
  CHECK(outer->outputs.size() == 3);
  std::vector<StepSpec> around;
  REQUIRE_OK(AddNestedSteps(
      {.name = "r", .input_map = {{"in", "z"}}, .output_map = {{"left", "l"}, {"right", "r"}}},
      *outer, around));
  CHECK(around.back().name.substr(0, 2) == "r.");
  CHECK(VALUE(BuildPipeline({.name = "around", .steps = std::move(around)}))->nodes.size() == 4);
}

// Pipelines over pipelines double the steps with every level; where that ends is told.
TEST_CASE("Nested steps have a limit") {
  const Inner inner;
  const StepSpec step{.name = "s", .input_map = {{"x", "in"}}, .output_map = {{"y", "out"}}};
  std::vector<StepSpec> steps(kMostNestedSteps - 2);
  REQUIRE_OK(AddNestedSteps(step, *inner.plan, steps));
  CHECK(steps.size() == kMostNestedSteps);
  const absl::Status refused = AddNestedSteps(step, *inner.plan, steps);
  CHECK(refused.code() == absl::StatusCode::kInvalidArgument);
  CHECK(
      std::string(MessageOf(refused)) ==
      "step 's': with the 2 steps of pipeline 'inner' there are 1026, of at most 1024; nest less");
  CHECK(steps.size() == kMostNestedSteps);
}

// Maps that name nothing, and inputs that are in none.
TEST_CASE("Maps of a nested pipeline are checked") {
  const Inner inner;
  const auto error = [&](const StepSpec& step) {
    std::vector<StepSpec> steps;
    return std::string(MessageOf(AddNestedSteps(step, *inner.plan, steps)));
  };
  CHECK(error({.name = "s", .input_map = {{"z", "in"}}, .output_map = {}}) ==
        "step 's': input_map names 'z', but its inputs are 'x'");
  CHECK(error({.name = "s", .input_map = {{"x", "in"}}, .output_map = {{"between", "b"}}}) ==
        "step 's': output_map names 'between', but its outputs are 'y', 'side'");
  CHECK(error({.name = "s", .input_map = {}, .output_map = {{"y", "out"}}}) ==
        "step 's': input 'x' is not in its input_map");
}

}  // namespace
}  // namespace omserve::scheduler
