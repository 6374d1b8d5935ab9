// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/data_type.h"

#include <algorithm>
#include <array>

namespace omserve::om {
namespace {

constexpr int kNone = -100;  // No such type in that numbering.

struct TypeRow {
  std::string_view name;  // AscendCL's.
  size_t size;            // aclDataTypeSize.
  DataType type;
  int acl;
  int ge;
  int onnx;
};
constexpr auto kTypes = std::to_array<TypeRow>({
    {"FLOAT", 4, DataType::kFp32, 0, 1, 1},
    {"FLOAT16", 2, DataType::kFp16, 1, 2, 10},
    {"INT8", 1, DataType::kInt8, 2, 3, 3},
    {"INT32", 4, DataType::kInt32, 3, 7, 6},
    {"UINT8", 1, DataType::kUint8, 4, 4, 2},
    {"INT16", 2, DataType::kInt16, 6, 5, 5},
    {"UINT16", 2, DataType::kUint16, 7, 6, 4},
    {"UINT32", 4, DataType::kUint32, 8, 9, 12},
    {"INT64", 8, DataType::kInt64, 9, 8, 7},
    {"UINT64", 8, DataType::kUint64, 10, 10, 13},
    {"DOUBLE", 8, DataType::kFp64, 11, 12, 11},
    {"BOOL", 1, DataType::kBool, 12, 11, 9},
    {"STRING", 0, DataType::kBytes, 13, 13, 8},
    {"COMPLEX64", 8, DataType::kInvalid, 16, 16, 14},
    {"COMPLEX128", 16, DataType::kInvalid, 17, 17, 15},
    {"BF16", 2, DataType::kBf16, 27, 27, 16},
    {"INT4", 1, DataType::kInvalid, 29, 28, kNone},
    {"UINT1", 1, DataType::kInvalid, 30, 29, kNone},
    {"COMPLEX32", 4, DataType::kInvalid, 33, 32, kNone},
    {"HIFLOAT8", 1, DataType::kInvalid, 34, 33, kNone},
    {"FLOAT8_E5M2", 1, DataType::kInvalid, 35, 34, 19},
    {"FLOAT8_E4M3FN", 1, DataType::kInvalid, 36, 35, 17},
});

struct FormatRow {
  std::string_view name;
  int32_t acl;
};
constexpr auto kFormats = std::to_array<FormatRow>({
    {"NCHW", 0},
    {"NHWC", 1},
    {"ND", 2},
    {"NC1HWC0", 3},
    {"FRACTAL_Z", 4},
    {"NC1HWC0_C04", 12},
    {"HWCN", 16},
    {"NDHWC", 27},
    {"FRACTAL_NZ", 29},
    {"NCDHW", 30},
    {"NDC1HWC0", 32},
    {"FRACTAL_Z_3D", 33},
    {"NC", 35},
    {"NCL", 47},
    {"FRACTAL_NZ_C0_16", 50},
    {"FRACTAL_NZ_C0_32", 51},
    {"FRACTAL_NZ_C0_2", 52},
    {"FRACTAL_NZ_C0_4", 53},
    {"FRACTAL_NZ_C0_8", 54},
});

// Null when no row has `number` in the column `member`.
const TypeRow* FindRow(int TypeRow::*member, int number) {
  const auto* const row = std::ranges::find(kTypes, number, member);
  return number == kNone || row == kTypes.end() ? nullptr : row;
}

}  // namespace

DataType DataTypeFromAcl(int32_t acl_data_type) {
  const TypeRow* row = FindRow(&TypeRow::acl, acl_data_type);
  return row == nullptr ? DataType::kInvalid : row->type;
}

DataType DataTypeFromOnnx(int32_t onnx_data_type) {
  const TypeRow* row = FindRow(&TypeRow::onnx, onnx_data_type);
  return row == nullptr ? DataType::kInvalid : row->type;
}

int32_t AclFromDataType(DataType type) {
  const auto* const row = std::ranges::find(kTypes, type, &TypeRow::type);
  return type == DataType::kInvalid || row == kTypes.end() ? kAclUndefined : row->acl;
}

int32_t OnnxFromDataType(DataType type) {
  const auto* const row = std::ranges::find(kTypes, type, &TypeRow::type);
  return type == DataType::kInvalid || row == kTypes.end() ? 0 : row->onnx;
}

int32_t AclFromGe(int ge_data_type) {
  const TypeRow* row = FindRow(&TypeRow::ge, ge_data_type);
  return row == nullptr ? kAclUndefined : row->acl;
}

int GeFromAcl(int32_t acl_data_type) {
  const TypeRow* row = FindRow(&TypeRow::acl, acl_data_type);
  return row == nullptr ? 0 : row->ge;
}

std::string_view AclTypeName(int32_t acl_data_type) {
  const TypeRow* row = FindRow(&TypeRow::acl, acl_data_type);
  return row == nullptr ? "UNDEFINED" : row->name;
}

int32_t AclFromTypeName(std::string_view name) {
  const auto* const row = std::ranges::find(kTypes, name, &TypeRow::name);
  return row == kTypes.end() ? kAclUndefined : row->acl;
}

size_t AclTypeSize(int32_t acl_data_type) {
  const TypeRow* row = FindRow(&TypeRow::acl, acl_data_type);
  return row == nullptr ? 0 : row->size;
}

std::optional<uint64_t> AclTensorBytes(int32_t acl_data_type, std::span<const int64_t> dims) {
  const std::optional<int64_t> count = ElementCount(dims);
  const size_t size = AclTypeSize(acl_data_type);
  uint64_t bytes = 0;
  if (!count.has_value() || size == 0 ||
      __builtin_mul_overflow(static_cast<uint64_t>(*count), uint64_t{size}, &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

size_t OnnxTypeSize(int32_t onnx_data_type) {
  const TypeRow* row = FindRow(&TypeRow::onnx, onnx_data_type);
  return row == nullptr ? 0 : row->size;
}

std::string_view OnnxTypeName(int32_t onnx_data_type) {
  const TypeRow* row = FindRow(&TypeRow::onnx, onnx_data_type);
  return row == nullptr ? "UNDEFINED" : row->name;
}

std::string_view AclFormatName(int32_t acl_format) {
  const auto* const row = std::ranges::find(kFormats, acl_format, &FormatRow::acl);
  return row == kFormats.end() ? "UNDEFINED" : row->name;
}

int32_t AclFormatFromName(std::string_view name) {
  const auto* const row = std::ranges::find(kFormats, name, &FormatRow::name);
  return row == kFormats.end() ? kAclFormatNd : row->acl;
}

}  // namespace omserve::om
