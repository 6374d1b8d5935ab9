// SPDX-License-Identifier: Apache-2.0
#include "scheduler/subgraph.h"

#include <catch2/catch.hpp>
#include <string>

#include "tests/status_test_util.h"

namespace omserve::scheduler {
namespace {

// One input "x" and one output "y"; a gear per pair of dims.
acl::ModelInfo Model(const std::vector<std::pair<Dims, Dims>>& gears) {
  acl::ModelInfo info;
  info.inputs = {{"x", DataType::kFp32, {}, 0}};
  info.outputs = {{"y", DataType::kInt64, {}, 0}};
  for (const auto& [input, output] : gears) {
    info.gears.push_back({{input}, {output}});
  }
  return info;
}

std::string ShapeError(const acl::ModelInfo& info, bool batched) {
  const absl::StatusOr<SubgraphShape> shape = MakeSubgraphShape(info, batched);
  REQUIRE(shape.status().code() == absl::StatusCode::kInvalidArgument);
  return std::string(MessageOf(shape.status()));
}

// Dim 0 is the same in all tensors of a gear and differs between gears: it is the batch.
TEST_CASE("Two sizes of dim 0 make batch gears") {
  CHECK(HasBatchGears(Model({{{1, 3}, {1, 9}}, {{4, 3}, {4, 9}}})));
}

// One size only, a tensor apart, a scalar or no gear at all: the file alone does not tell.
TEST_CASE("Batch gears are not guessed") {
  CHECK_FALSE(HasBatchGears(Model({{{4, 3}, {4, 9}}})));
  CHECK_FALSE(HasBatchGears(Model({{{1, 3}, {1, 9}}, {{4, 3}, {1, 9}}})));
  CHECK_FALSE(HasBatchGears(Model({{{1, 3}, {}}, {{4, 3}, {}}})));
  CHECK_FALSE(HasBatchGears(Model({})));
}

// Gears that differ in the batch alone make one bucket with ascending gears, whatever their order.
TEST_CASE("Batch sizes of one shape are one bucket") {
  const SubgraphShape shape =
      VALUE(MakeSubgraphShape(Model({{{8, 3}, {8, 9}}, {{1, 3}, {1, 9}}, {{4, 3}, {4, 9}}}), true));
  CHECK(shape.batched);
  REQUIRE(shape.buckets.size() == 1);
  const Bucket& bucket = shape.buckets[0];
  CHECK(bucket.input_dims == std::vector<Dims>{{3}});
  CHECK(bucket.output_dims == std::vector<Dims>{{9}});
  CHECK(bucket.input_row_bytes == std::vector<size_t>{12});
  CHECK(bucket.output_row_bytes == std::vector<size_t>{72});
  REQUIRE(bucket.gears.size() == 3);
  CHECK(bucket.gears[0].rows == 1);
  CHECK(bucket.gears[0].model_gear == 1);
  CHECK(bucket.gears[2].rows == 8);
  CHECK(bucket.gears[2].model_gear == 0);
  CHECK(shape.max_rows() == 8);
  CHECK(shape.inputs == std::vector<TensorSpec>{{"x", DataType::kFp32, {3}}});
  CHECK(shape.outputs == std::vector<TensorSpec>{{"y", DataType::kInt64, {9}}});
}

// Two lengths and two batches make two buckets; the spec leaves open what differs between them.
TEST_CASE("Lengths are buckets of their own") {
  const SubgraphShape shape = VALUE(MakeSubgraphShape(
      Model({{{1, 32}, {1, 2}}, {{2, 32}, {2, 2}}, {{1, 64}, {1, 2}}, {{2, 64}, {2, 2}}}), true));
  REQUIRE(shape.buckets.size() == 2);
  CHECK(shape.inputs[0].dims == Dims{-1});
  CHECK(shape.outputs[0].dims == Dims{2});
  CHECK(shape.FindBucket(std::vector<Dims>{{32}}) == 0);
  CHECK(shape.FindBucket(std::vector<Dims>{{64}}) == 1);
  CHECK_FALSE(shape.FindBucket(std::vector<Dims>{{33}}).has_value());
  CHECK_FALSE(shape.FindBucket(std::vector<Dims>{}).has_value());
  CHECK_FALSE(shape.FindBucket(std::vector<Dims>{{32}, {32}}).has_value());
  CHECK(shape.BucketsToString() == "[32] x 1,2; [64] x 1,2");
}

// The largest gear of any bucket counts for the whole; each bucket knows its own.
TEST_CASE("Buckets may have different largest gears") {
  const SubgraphShape shape = VALUE(
      MakeSubgraphShape(Model({{{1, 32}, {1, 2}}, {{8, 32}, {8, 2}}, {{1, 64}, {1, 2}}}), true));
  CHECK(shape.max_rows() == 8);
  CHECK(shape.buckets[1].max_rows() == 1);
}

// A batch takes the smallest gear that holds it.
TEST_CASE("Rows go to the smallest gear that holds them") {
  const Bucket bucket{.gears = {{1, 0}, {4, 1}, {8, 2}}};
  for (const auto& [rows, gear] :
       std::vector<std::pair<int, int>>{{1, 1}, {2, 4}, {4, 4}, {5, 8}, {8, 8}}) {
    CAPTURE(rows);
    CHECK(bucket.GearFor(rows).rows == gear);
  }
}

// Without a batch dimension a request is one row, and its dims are the full ones.
TEST_CASE("A model that does not batch has rows of full dims") {
  const SubgraphShape shape =
      VALUE(MakeSubgraphShape(Model({{{1, 3}, {9}}, {{2, 3}, {9}}}), false));
  CHECK_FALSE(shape.batched);
  CHECK(shape.max_rows() == 1);
  CHECK(shape.buckets.size() == 2);
  CHECK(shape.inputs[0].dims == Dims{-1, 3});
  CHECK(shape.FindBucket(std::vector<Dims>{{2, 3}}) == 1);
}

// A model of one gear may be declared to batch: then it batches at that size only.
TEST_CASE("Batching can be declared for one gear") {
  const SubgraphShape shape = VALUE(MakeSubgraphShape(Model({{{4, 3}, {4, 9}}}), true));
  CHECK(shape.max_rows() == 4);
  CHECK(shape.buckets[0].GearFor(1).rows == 4);
}

// Batching was declared, but the output does not carry it: the gear, its dims and the remedy stand
// in the message.
TEST_CASE("A tensor without the batch dimension is refused") {
  CHECK(ShapeError(Model({{{1, 3}, {1, 9}}, {{4, 3}, {1, 9}}}), true) ==
        "gear 1: its tensors do not share a batch dimension (first input [4,3]); set "
        "max_batch_size: 0");
  CHECK(ShapeError(Model({{{}, {1}}}), true) ==
        "gear 0: its tensors do not share a batch dimension (first input []); set "
        "max_batch_size: 0");
}

// A batch size of zero, below it or beyond reason comes from a damaged file.
TEST_CASE("A batch size out of range is refused") {
  for (const int64_t batch : {int64_t{0}, int64_t{-1}, int64_t{1} << 40}) {
    CAPTURE(batch);
    CHECK_FALSE(MakeSubgraphShape(Model({{{batch, 3}, {batch, 9}}}), true).ok());
  }
}

// The output of a row depends on the batch size: rows could not be told apart.
TEST_CASE("Outputs that change with the batch are refused") {
  CHECK(ShapeError(Model({{{1, 3}, {1, 9}}, {{4, 3}, {4, 10}}}), true) ==
        "gear 1: its outputs per row differ from those of a smaller batch; set max_batch_size: 0");
}

// A dim left open, or a type of variable length, has no size in bytes to reserve.
TEST_CASE("A tensor without a fixed size is refused") {
  CHECK(ShapeError(Model({{{1, -1}, {1, 9}}}), true) ==
        "tensor 'x' of type FP32 with dims [-1] has no fixed size in bytes");
  acl::ModelInfo bytes = Model({{{1, 3}, {1, 9}}});
  bytes.outputs[0].type = DataType::kBytes;
  CHECK(ShapeError(bytes, true) ==
        "tensor 'y' of type BYTES with dims [9] has no fixed size in bytes");
}

// Two tensors of one name could not be told apart by a client.
TEST_CASE("Tensors of one name are refused") {
  acl::ModelInfo info = Model({});
  info.gears.push_back({{{1, 3}, {1, 4}}, {{1, 9}}});
  info.inputs.push_back({"x", DataType::kFp32, {}, 0});
  CHECK(ShapeError(info, false) ==
        "two inputs are named 'x': give them names of their own and compile again");
  info.inputs[1].name = "z";
  info.outputs.push_back({"y", DataType::kFp32, {}, 0});
  info.gears[0].output_dims.push_back({1, 4});
  CHECK(ShapeError(info, false) ==
        "two outputs are named 'y': give them names of their own and compile again");
  info.outputs[1].name = "x";  // An input and an output may share one.
  REQUIRE_OK(MakeSubgraphShape(info, true));
}

// A model without any gear cannot run.
TEST_CASE("A model without gears is refused") {
  CHECK(ShapeError(Model({}), false) == "the model has no gear");
}

}  // namespace
}  // namespace omserve::scheduler
