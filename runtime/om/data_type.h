// SPDX-License-Identifier: Apache-2.0
// One element type has four numbers: omserve's DataType, aclDataType, ge.proto's DataType and
// ONNX's TensorProto.DataType. This is the only place that knows how they correspond.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "runtime/base/tensor.h"

namespace omserve::om {

inline constexpr int32_t kAclUndefined = -1;
inline constexpr int32_t kAclInt32 = 3;
inline constexpr int32_t kAclFormatNd = 2;

// kInvalid when clients have no name for that type (complex, 4 bits, 8-bit floats, undefined).
DataType DataTypeFromAcl(int32_t acl_data_type);
DataType DataTypeFromOnnx(int32_t onnx_data_type);
// kAclUndefined when there is no such type.
int32_t AclFromDataType(DataType type);
// 0 (UNDEFINED) when there is no such type.
int32_t OnnxFromDataType(DataType type);
// kAclUndefined when there is no such type.
int32_t AclFromGe(int ge_data_type);
// 0 (DT_UNDEFINED) when there is no such type.
int GeFromAcl(int32_t acl_data_type);

// "FLOAT", "BF16", ... as AscendCL names it; "UNDEFINED" for an unknown number.
std::string_view AclTypeName(int32_t acl_data_type);
// Likewise backwards; kAclUndefined for a name that is none of the above.
int32_t AclFromTypeName(std::string_view name);
// Bytes of one element as aclDataTypeSize has it (4-bit types: 1); 0 for strings and undefined.
size_t AclTypeSize(int32_t acl_data_type);
// Bytes of a tensor; nullopt for a negative dim, an overflow or a type without a size.
std::optional<uint64_t> AclTensorBytes(int32_t acl_data_type, std::span<const int64_t> dims);

// Bytes of one element of an ONNX initialiser; 0 for strings, packed 4-bit types and unknown ones.
size_t OnnxTypeSize(int32_t onnx_data_type);
// "FLOAT", ...; "UNDEFINED" for an unknown number.
std::string_view OnnxTypeName(int32_t onnx_data_type);

// "NCHW", "ND", ...; "UNDEFINED" for an unknown number.
std::string_view AclFormatName(int32_t acl_format);
// kAclFormatNd for a name that is none of the above: a layout decides nothing on the host.
int32_t AclFormatFromName(std::string_view name);

}  // namespace omserve::om
