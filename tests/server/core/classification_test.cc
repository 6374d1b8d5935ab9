// SPDX-License-Identifier: Apache-2.0
#include "server/core/classification.h"

#include <bit>
#include <catch2/catch.hpp>
#include <limits>
#include <vector>

#include "runtime/base/bytes_tensor.h"
#include "server/core/inference.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using Catch::Matchers::Contains;
using Texts = std::vector<std::string>;

Texts Decoded(const std::string& bytes, const Dims& dims) {
  const std::vector<std::string_view> elements =
      VALUE(DecodeBytesTensor(std::as_bytes(std::span(bytes)), *ElementCount(dims)));
  return {elements.begin(), elements.end()};
}

// A row of numbers, without a batch, at an odd address.
template <typename Number>
Texts Named(DataType type, const std::vector<Number>& row, uint64_t count,
            const std::vector<std::string>& labels = {}) {
  std::string odd(1, '!');
  odd.append(static_cast<const char*>(static_cast<const void*>(row.data())),
             row.size() * sizeof(Number));
  const ClassTexts texts = NameClasses({.type = type,
                                        .dims = {static_cast<int64_t>(row.size())},
                                        .bytes = std::as_bytes(std::span(odd)).subspan(1)},
                                       count, labels);
  CHECK(texts.dims == Dims{static_cast<int64_t>(std::min<uint64_t>(count, row.size()))});
  return Decoded(texts.bytes, texts.dims);
}

// The largest first, of equal ones the first; more classes than there are; labels where they are.
TEST_CASE("Classes are named by value, index and label",
          "[1.9/text][1.9/order][1.9/labels][1.9/clamped]") {
  const std::vector<float> row = {0.25F, 3.3F, -1.0F, 3.3F};
  CHECK(Named(DataType::kFp32, row, 2) == Texts{"3.300000:1", "3.300000:3"});
  CHECK(Named(DataType::kFp32, row, 99, {"a", "b", ""}) ==
        Texts{"3.300000:1:b", "3.300000:3", "0.250000:0:a", "-1.000000:2"});
  CHECK(Named(DataType::kFp32, std::vector<float>{}, 3).empty());
}

// Every type of numbers, at its ends.
TEST_CASE("Classes of all numbers", "[1.9/text]") {
  const auto ends = [](DataType type, auto number) {
    using Number = decltype(number);
    using Limits = std::numeric_limits<Number>;
    CHECK(Named<Number>(type, {Limits::min(), 7, Limits::max()}, 3) ==
          Texts{std::to_string(Limits::max()) + ":2", "7:1", std::to_string(Limits::min()) + ":0"});
  };
  ends(DataType::kUint8, uint8_t{});
  ends(DataType::kUint16, uint16_t{});
  ends(DataType::kUint32, uint32_t{});
  ends(DataType::kUint64, uint64_t{});
  ends(DataType::kInt8, int8_t{});
  ends(DataType::kInt16, int16_t{});
  ends(DataType::kInt32, int32_t{});
  ends(DataType::kInt64, int64_t{});
  constexpr double kLargest = std::numeric_limits<double>::max();
  CHECK(Named<double>(DataType::kFp64, {1e-7, kLargest, 0.1234567}, 3) ==
        Texts{std::to_string(kLargest) + ":1", "0.123457:2", "0.000000:0"});
  // 1.0, -2.5, the largest, the least above 0, -infinity, infinity, NaN.
  CHECK(Named<uint16_t>(DataType::kFp16, {0x3C00, 0xC100, 0x7BFF, 0x0001, 0xFC00, 0x7C00, 0x7E00},
                        9) == Texts{"inf:5", "65504.000000:2", "1.000000:0", "0.000000:3",
                                    "-2.500000:1", "-inf:4", "nan:6"});
  CHECK(Named<uint16_t>(DataType::kBf16, {0x3F80, 0xC020, 0x7FC0}, 3) ==
        Texts{"1.000000:0", "-2.500000:1", "nan:2"});
}

// Rows by themselves, each over all that is not the batch.
TEST_CASE("Classes of the rows of a batch", "[1.9/order]") {
  const std::vector<int32_t> scores = {1, 2, 3, 4, 8, 7, 6, 5};
  const ClassTexts texts = NameClasses({.type = DataType::kInt32,
                                        .dims = {2, 2, 2},
                                        .bytes = std::as_bytes(std::span(scores)),
                                        .batched = true},
                                       2, {});
  CHECK(texts.dims == Dims{2, 2});
  CHECK(Decoded(texts.bytes, texts.dims) == Texts{"4:3", "3:2", "8:0", "7:1"});
}

// What has no largest, and work without end.
TEST_CASE("Classifications that are refused", "[1.9/text]") {
  const auto refusal = [](DataType type, const Dims& dims, uint64_t count) {
    return std::string(MessageOf(CheckClassification("m", {"y", type, dims}, true, count)));
  };
  CHECK_THAT(refusal(DataType::kBytes, {-1, 4}, 1),
             Contains("output 'y' for model 'm'") && Contains("BYTES are no numbers"));
  CHECK_THAT(refusal(DataType::kBool, {-1, 4}, 1), Contains("BOOL are no numbers"));
  CHECK_THAT(refusal(DataType::kFp32, {-1, -1}, kMostClasses + 1), Contains("1048576 can be had"));
  CHECK_THAT(refusal(DataType::kFp32, {-1, 1 << 21}, kMostClasses + 1), Contains("1048576"));
  CHECK(CheckClassification("m", {"y", DataType::kFp32, {-1, 4}}, true, UINT64_MAX).ok());
  CHECK(CheckClassification("m", {"y", DataType::kFp32, {-1, -1}}, true, kMostClasses).ok());
}

// Only what was asked for so is replaced, and then lets go of the tensor.
TEST_CASE("Outputs of an answer become texts", "[1.9/BYTES]") {
  auto model = std::make_shared<Model>();
  model->plan = std::make_shared<const scheduler::Plan>();
  model->outputs = {{"y", DataType::kInt8, {2}}, {"z", DataType::kInt8, {2}}};
  model->labels = {{}, {"no", "yes"}};
  const auto tensor = std::make_shared<const std::string>("\1\2");
  InferResult result{.model = model, .classes = {0, 1}};
  for (const int output : {0, 1}) {
    result.outputs.push_back({.output = output,
                              .dims = {2},
                              .bytes = std::as_bytes(std::span(*tensor)),
                              .owner = tensor});
  }
  ClassifyOutputs(result);
  CHECK(tensor.use_count() == 2);
  CHECK(result.OutputType(0) == DataType::kInt8);
  CHECK(result.OutputType(1) == DataType::kBytes);
  CHECK(result.outputs[1].dims == Dims{1});
  CHECK(VALUE(DecodeBytesTensor(result.outputs[1].bytes, 1)).front() == "2:1:yes");
}

}  // namespace
}  // namespace omserve::server
