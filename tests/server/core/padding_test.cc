// SPDX-License-Identifier: Apache-2.0
// Rows that are padded up to a compiled length, and outputs that are cut back.
#include <catch2/catch.hpp>
#include <cstring>
#include <string>
#include <vector>

#include "server/core/length_padding.h"
#include "server/core/padded_copy.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

std::vector<int32_t> Padded(const Dims& dims, const Dims& padded, std::vector<int32_t> values,
                            size_t first_piece_bytes, double fill) {
  const auto bytes = std::as_bytes(std::span(values));
  const std::vector<std::span<const std::byte>> pieces = {
      bytes.first(first_piece_bytes), {}, bytes.subspan(first_piece_bytes)};
  std::vector<int32_t> into(static_cast<size_t>(*ElementCount(padded)), 77);
  CopyPadded({.dims = dims,
              .padded = padded,
              .element_bytes = 4,
              .fill = VALUE(ToElement(DataType::kInt32, fill))},
             pieces, std::as_writable_bytes(std::span(into)));
  return into;
}

// Each row's end is filled, wherever the message cut the bytes.
TEST_CASE("Rows are padded at their end", "[padding]") {
  for (const size_t cut : {size_t{0}, size_t{4}, size_t{7}, size_t{16}, size_t{24}}) {
    CAPTURE(cut);
    CHECK(Padded({2, 3}, {2, 5}, {1, 2, 3, 4, 5, 6}, cut, 0) ==
          std::vector<int32_t>{1, 2, 3, 0, 0, 4, 5, 6, 0, 0});
  }
  CHECK(Padded({2, 2}, {2, 3}, {1, 2, 3, 4}, 8, -1) == std::vector<int32_t>{1, 2, -1, 3, 4, -1});
}

// A dim that is not the last, and several at once.
TEST_CASE("Inner dims are padded", "[padding]") {
  CHECK(Padded({1, 1, 2}, {1, 2, 2}, {1, 2}, 8, 9) == std::vector<int32_t>{1, 2, 9, 9});
  CHECK(Padded({2, 1, 1}, {2, 2, 2}, {1, 2}, 4, 0) == std::vector<int32_t>{1, 0, 0, 0, 2, 0, 0, 0});
  CHECK(Padded({2, 2}, {2, 2}, {1, 2, 3, 4}, 8, 0) == std::vector<int32_t>{1, 2, 3, 4});
}

// Cutting is the other way, and a front that is the answer is not copied at all.
TEST_CASE("Outputs are cut back", "[padding]") {
  const std::vector<int32_t> padded = {1, 2, 0, 3, 4, 0};
  std::vector<int32_t> cut(4);
  CopyCut({.dims = Dims{2, 2}, .padded = Dims{2, 3}, .element_bytes = 4},
          std::as_bytes(std::span(padded)), std::as_writable_bytes(std::span(cut)));
  CHECK(cut == std::vector<int32_t>{1, 2, 3, 4});
  CHECK(IsPrefix(Dims{1, 2, 8}, Dims{1, 3, 8}));
  CHECK_FALSE(IsPrefix(Dims{2, 2, 8}, Dims{2, 3, 8}));
  CHECK_FALSE(IsPrefix(Dims{1, 4, 2}, Dims{1, 4, 3}));
}

// What a type cannot hold is refused, and told.
TEST_CASE("Padding values fit their type", "[padding]") {
  CHECK(VALUE(ToElement(DataType::kUint8, 255))[0] == std::byte{255});
  CHECK(VALUE(ToElement(DataType::kFp16, 0)) == ElementBytes{});
  for (const auto& [type, value] :
       std::vector<std::pair<DataType, double>>{{DataType::kUint8, 256},
                                                {DataType::kInt8, -129},
                                                {DataType::kInt64, 0.5},
                                                {DataType::kInt64, 9223372036854775808.0},
                                                {DataType::kUint64, -1},
                                                {DataType::kBool, 2},
                                                {DataType::kFp16, 1},
                                                {DataType::kBytes, 0}}) {
    CAPTURE(DataTypeName(type), value);
    CHECK(ToElement(type, value).status().code() == absl::StatusCode::kInvalidArgument);
  }
}

// Token ids and mask of lengths 16 and 32, features as long as they are; one bucket has more rows.
class TextModel {
 public:
  TextModel() {
    subgraph_.name = "text";
    subgraph_.shape.batched = true;
    subgraph_.shape.inputs = {{"ids", DataType::kInt64, {-1}}, {"mask", DataType::kInt64, {-1}}};
    subgraph_.shape.outputs = {{"features", DataType::kFp32, {-1, 4}}};
    for (const int64_t length : {32, 16}) {
      scheduler::Bucket bucket{.input_dims = {{length}, {length}}, .output_dims = {{length, 4}}};
      bucket.gears.push_back({.rows = 4});
      bucket.output_row_bytes = {static_cast<size_t>(length) * 4 * sizeof(float)};
      subgraph_.shape.buckets.push_back(std::move(bucket));
    }
    plan = scheduler::BuildSingle(subgraph_);
    auto& padding = *config.add_padding();
    padding.add_input()->set_name("ids");
    padding.add_input()->set_name("mask");
    padding.add_output()->set_name("features");
  }

  std::shared_ptr<const scheduler::Plan> plan;
  inference::ModelConfig config;

 private:
  scheduler::Subgraph subgraph_;
};

// The shortest compiled length that holds the row, whatever the order of the gears.
TEST_CASE("Lengths go to the next compiled one", "[padding]") {
  const TextModel model;
  const std::vector<PaddedLength> lengths = VALUE(ResolvePadding(model.config, *model.plan));
  REQUIRE(lengths.size() == 1);
  CHECK(lengths[0].compiled == std::vector<int64_t>{16, 32});
  for (const auto& [given, padded, bucket] : std::vector<std::tuple<int64_t, int64_t, int>>{
           {1, 16, 1}, {16, 16, 1}, {17, 32, 0}, {32, 32, 0}}) {
    const LengthFit fit = VALUE(FitLengths(*model.plan, lengths, {{given}, {given}}));
    CHECK(fit.row_dims == std::vector<Dims>{{padded}, {padded}});
    CHECK(fit.buckets == std::vector<int>{bucket});
    CHECK(fit.given == std::vector<int64_t>{given});
  }
}

// Too long, empty, or two lengths where there must be one: refused with the numbers.
TEST_CASE("Lengths that do not fit are refused", "[padding]") {
  const TextModel model;
  const std::vector<PaddedLength> lengths = VALUE(ResolvePadding(model.config, *model.plan));
  CHECK(MessageOf(FitLengths(*model.plan, lengths, {{33}, {33}}).status()) ==
        "input 'ids' has length 33, expected 1 to 32: the longest compiled");
  CHECK(FitLengths(*model.plan, lengths, {{0}, {0}}).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(MessageOf(FitLengths(*model.plan, lengths, {{7}, {8}}).status()) ==
        "inputs 'ids' and 'mask' must be as long as each other, got 7 and 8");
}

// What the configuration names must be there, and an output must follow its input.
TEST_CASE("Padding that the model does not allow is refused", "[padding]") {
  const auto refused = [](const auto& change) {
    TextModel model;
    change(*model.config.mutable_padding(0));
    return std::string(MessageOf(ResolvePadding(model.config, *model.plan).status()));
  };
  CHECK(refused([](auto& p) { p.mutable_input(0)->set_name("words"); }) ==
        "padding[0]: the model has no input 'words'");
  CHECK(refused([](auto& p) { p.mutable_input(0)->set_dim(1); }) ==
        "padding[0]: input 'ids' has no dim 1 per row: its dims are [-1]");
  CHECK(refused([](auto& p) { p.mutable_input(1)->set_value(0.5); }) ==
        "padding[0]: input 'mask': 0.5 is no INT64");
  CHECK(refused([](auto& p) { p.mutable_output(0)->set_dim(1); }) ==
        "padding[0]: output 'features' dim 1 is 4 where input 'ids' dim 0 is 32");
}

}  // namespace
}  // namespace omserve::server
