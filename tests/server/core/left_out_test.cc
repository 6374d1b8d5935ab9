// SPDX-License-Identifier: Apache-2.0
#include "server/core/left_out.h"

#include <catch2/catch.hpp>
#include <utility>

namespace omserve::server {
namespace {

using RowDims = std::vector<std::optional<Dims>>;

// Inputs a [length] FP32 and b [length,2] INT64, in gears of these lengths of a and b.
class Subgraph {
 public:
  explicit Subgraph(const std::vector<std::pair<int64_t, int64_t>>& lengths) {
    subgraph_.shape.batched = true;
    subgraph_.shape.inputs = {{"a", DataType::kFp32, {-1}}, {"b", DataType::kInt64, {-1, 2}}};
    subgraph_.shape.outputs = {{"y", DataType::kFp32, {1}}};
    for (const auto& [a, b] : lengths) {
      scheduler::Bucket bucket{.input_dims = {{a}, {b, 2}},
                               .output_dims = {{1}},
                               .input_row_bytes = {},
                               .output_row_bytes = {4},
                               .gears = {{.rows = 1, .model_gear = 0}}};
      subgraph_.shape.buckets.push_back(std::move(bucket));
    }
    plan = scheduler::BuildSingle(subgraph_);
  }
  RowDims Filled(RowDims dims, const std::vector<PaddedLength>& lengths = {}) const {
    FillLeftOutDims(*plan, lengths, dims);
    return dims;
  }

  std::shared_ptr<const scheduler::Plan> plan;

 private:
  scheduler::Subgraph subgraph_{.name = "m"};
};

// What is left out is as small as goes with what was sent.
TEST_CASE("An input that is left out takes compiled dims", "[left_out]") {
  const Subgraph model({{8, 16}, {8, 4}, {2, 32}, {4, 2}});
  CHECK(model.Filled({Dims{8}, std::nullopt}) == RowDims{Dims{8}, Dims{4, 2}});
  CHECK(model.Filled({Dims{2}, std::nullopt}) == RowDims{Dims{2}, Dims{32, 2}});
  CHECK(model.Filled({std::nullopt, Dims{16, 2}}) == RowDims{Dims{8}, Dims{16, 2}});
  // The first takes the smallest there is, and the second what goes with it.
  CHECK(model.Filled({std::nullopt, std::nullopt}) == RowDims{Dims{2}, Dims{32, 2}});
}

// Dims that nobody compiled are told of as those of any request: here they only need a size.
TEST_CASE("An input that is left out beside dims that do not fit", "[left_out]") {
  const Subgraph model({{8, 16}});
  CHECK(model.Filled({Dims{7}, std::nullopt}) == RowDims{Dims{7}, Dims{1, 2}});
}

// A length that both inputs have is as it was sent, and padded with the other.
TEST_CASE("An input that is left out is as long as those it is padded with", "[left_out]") {
  const Subgraph model({{8, 8}, {16, 16}});
  const std::vector<PaddedLength> lengths = {
      {.inputs = {{.tensor = 0, .dim = 0}, {.tensor = 1, .dim = 0}},
       .outputs = {},
       .compiled = {8, 16}}};
  CHECK(model.Filled({Dims{5}, std::nullopt}, lengths) == RowDims{Dims{5}, Dims{5, 2}});
  CHECK(model.Filled({std::nullopt, Dims{9, 2}}, lengths) == RowDims{Dims{9}, Dims{9, 2}});
  CHECK(model.Filled({std::nullopt, std::nullopt}, lengths) == RowDims{Dims{8}, Dims{8, 2}});
}

// A square mask has the length twice.
TEST_CASE("A square input that is left out is as long on both sides", "[left_out]") {
  scheduler::Subgraph model{.name = "m"};
  model.shape.batched = true;
  model.shape.inputs = {{"ids", DataType::kInt64, {-1}}, {"mask", DataType::kInt64, {-1, -1}}};
  model.shape.outputs = {{"y", DataType::kFp32, {1}}};
  model.shape.buckets.push_back({.input_dims = {{8}, {8, 8}},
                                 .output_dims = {{1}},
                                 .input_row_bytes = {},
                                 .output_row_bytes = {4},
                                 .gears = {{.rows = 1, .model_gear = 0}}});
  const std::vector<PaddedLength> lengths = {
      {.inputs = {{.tensor = 0, .dim = 0}, {.tensor = 1, .dim = 0}, {.tensor = 1, .dim = 1}},
       .outputs = {},
       .compiled = {8}}};
  RowDims dims = {Dims{5}, std::nullopt};
  FillLeftOutDims(*scheduler::BuildSingle(model), lengths, dims);
  CHECK(dims == RowDims{Dims{5}, Dims{5, 5}});
}

// Zeros by type: a string that is empty still has its length.
TEST_CASE("The bytes of a tensor that is left out", "[left_out]") {
  CHECK(LeftOutBytes(DataType::kFp16, Dims{3, 2}) == 12U);
  CHECK(LeftOutBytes(DataType::kBytes, Dims{3, 2}) == 24U);
  CHECK(LeftOutBytes(DataType::kBytes, Dims{int64_t{1} << 40, int64_t{1} << 40}) == std::nullopt);
}

}  // namespace
}  // namespace omserve::server
