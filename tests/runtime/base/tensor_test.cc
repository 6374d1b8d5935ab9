// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/tensor.h"

#include <catch2/catch.hpp>
#include <limits>

namespace omserve {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

// Every type's name leads back to the type, and sizes are those of KServe's table.
TEST_CASE("Data types have names and sizes") {
  const std::vector<std::pair<std::string, size_t>> types = {
      {"BOOL", 1}, {"UINT8", 1}, {"UINT16", 2}, {"UINT32", 4}, {"UINT64", 8},
      {"INT8", 1}, {"INT16", 2}, {"INT32", 4},  {"INT64", 8},  {"FP16", 2},
      {"FP32", 4}, {"FP64", 8},  {"BYTES", 0},  {"BF16", 2}};
  for (const auto& [name, size] : types) {
    CAPTURE(name);
    const DataType type = DataTypeFromName(name);
    CHECK(type != DataType::kInvalid);
    CHECK(DataTypeName(type) == name);
    CHECK(DataTypeSize(type) == size);
  }
}

// Names are exact: another case, another protocol's names and nothing at all are no type.
TEST_CASE("Unknown data type names are invalid") {
  for (const char* name : {"", "fp32", "FLOAT", "TYPE_FP32", "INVALID", "STRING"}) {
    CAPTURE(name);
    CHECK(DataTypeFromName(name) == DataType::kInvalid);
  }
  CHECK(DataTypeName(DataType::kInvalid) == "INVALID");
}

// A scalar has one element, and one dim of zero makes no elements.
TEST_CASE("Elements are the product of the dims") {
  CHECK(ElementCount(Dims{}) == 1);
  CHECK(ElementCount(Dims{2, 3, 4}) == 24);
  CHECK(ElementCount(Dims{2, 0, 4}) == 0);
  CHECK(ElementCount(Dims{kMax}) == kMax);
}

// A dynamic dim has no count, not even behind a zero, and a product beyond int64 neither.
TEST_CASE("Elements that cannot be counted are nothing") {
  CHECK_FALSE(ElementCount(Dims{-1, 3}).has_value());
  CHECK_FALSE(ElementCount(Dims{0, -1}).has_value());
  CHECK_FALSE(ElementCount(Dims{kMax, 2}).has_value());
}

// A zero does not hide that the other dims overflow, whichever comes first.
TEST_CASE("A zero dim does not hide an overflow") {
  CHECK_FALSE(ElementCount(Dims{0, kMax, 2}).has_value());
  CHECK_FALSE(ElementCount(Dims{kMax, 2, 0}).has_value());
}

// Bytes are elements times the size of one; BYTES tensors and overflows have none.
TEST_CASE("Tensor bytes are counted where they are fixed") {
  CHECK(TensorBytes(DataType::kFp32, Dims{1, 3, 48, 48}) == 27648U);
  CHECK(TensorBytes(DataType::kInt64, Dims{0}) == 0U);
  CHECK_FALSE(TensorBytes(DataType::kBytes, Dims{1}).has_value());
  CHECK_FALSE(TensorBytes(DataType::kInvalid, Dims{1}).has_value());
  CHECK_FALSE(TensorBytes(DataType::kFp32, Dims{-1}).has_value());
  CHECK_FALSE(TensorBytes(DataType::kFp64, Dims{kMax}).has_value());
}

// Shapes are printed in brackets without spaces.
TEST_CASE("Shapes are printed as Triton prints them") {
  CHECK(DimsToString(Dims{}) == "[]");
  CHECK(DimsToString(Dims{-1, 3, 48}) == "[-1,3,48]");
}

}  // namespace
}  // namespace omserve
