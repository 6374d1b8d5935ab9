// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/data_type.h"

#include <catch2/catch.hpp>
#include <limits>

namespace omserve::om {
namespace {

// The numberings disagree; FLOAT is 0 for AscendCL and 1 for ge.proto and ONNX.
TEST_CASE("types have the numbers of their numbering", "[data_type]") {
  CHECK(AclFromDataType(DataType::kFp32) == 0);
  CHECK(GeFromAcl(0) == 1);
  CHECK(OnnxFromDataType(DataType::kFp32) == 1);
  CHECK(AclFromDataType(DataType::kFp16) == 1);
  CHECK(OnnxFromDataType(DataType::kFp16) == 10);
  CHECK(AclFromDataType(DataType::kInt64) == 9);
  CHECK(GeFromAcl(9) == 8);
  CHECK(AclFromDataType(DataType::kBool) == 12);
  CHECK(GeFromAcl(12) == 11);
  CHECK(AclFromDataType(DataType::kBf16) == 27);
  CHECK(GeFromAcl(29) == 28);  // INT4
  CHECK(GeFromAcl(36) == 35);  // FLOAT8_E4M3FN
}

// Every type of ours comes back from each numbering as itself.
TEST_CASE("types survive the way there and back", "[data_type]") {
  for (int i = 1; i <= static_cast<int>(DataType::kBf16); ++i) {
    const auto type = static_cast<DataType>(i);
    CAPTURE(DataTypeName(type));
    const int32_t acl = AclFromDataType(type);
    CHECK(DataTypeFromAcl(acl) == type);
    CHECK(AclFromGe(GeFromAcl(acl)) == acl);
    CHECK(DataTypeFromOnnx(OnnxFromDataType(type)) == type);
    CHECK(AclTypeSize(acl) == DataTypeSize(type));
  }
}

// Numbers that no table has give the "undefined" of the target, whatever they are.
TEST_CASE("unknown types are undefined", "[data_type]") {
  for (const int number : {5, -1, -100, 14, 99, std::numeric_limits<int>::min()}) {
    CAPTURE(number);
    CHECK(DataTypeFromAcl(number) == DataType::kInvalid);
    CHECK(AclTypeSize(number) == 0);
    CHECK(GeFromAcl(number) == 0);
  }
  CHECK(AclFromGe(0) == kAclUndefined);
  CHECK(AclFromDataType(DataType::kInvalid) == kAclUndefined);
  CHECK(OnnxFromDataType(DataType::kInvalid) == 0);
  CHECK(DataTypeFromOnnx(-100) == DataType::kInvalid);
  CHECK(AclTypeName(77) == "UNDEFINED");
  CHECK(AclFormatName(77) == "UNDEFINED");
  CHECK(AclFormatFromName("MADE_UP") == kAclFormatNd);
}

// Bytes follow from type and dims, and are unknown rather than wrong.
TEST_CASE("tensor bytes never overflow", "[data_type]") {
  CHECK(AclTensorBytes(0, Dims{1, 3, 48, 48}) == 27648U);
  CHECK(AclTensorBytes(9, Dims{}) == 8U);
  CHECK(AclTensorBytes(0, Dims{0, 5}) == 0U);
  CHECK_FALSE(AclTensorBytes(0, Dims{-1, 5}).has_value());
  CHECK_FALSE(AclTensorBytes(13, Dims{5}).has_value());
  const int64_t most = std::numeric_limits<int64_t>::max();
  CHECK_FALSE(AclTensorBytes(0, Dims{most, 2}).has_value());
  CHECK_FALSE(AclTensorBytes(17, Dims{most}).has_value());
}

// Formats keep their names and numbers.
TEST_CASE("formats have names", "[data_type]") {
  CHECK(AclFormatName(0) == "NCHW");
  CHECK(AclFormatFromName("FRACTAL_NZ") == 29);
  CHECK(AclFormatFromName(AclFormatName(54)) == 54);
}

}  // namespace
}  // namespace omserve::om
