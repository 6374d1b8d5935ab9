// SPDX-License-Identifier: Apache-2.0
// Element types and shapes, in KServe's names. Everything else speaks of tensors through these.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace omserve {

enum class DataType : uint8_t {
  kInvalid = 0,
  kBool,
  kUint8,
  kUint16,
  kUint32,
  kUint64,
  kInt8,
  kInt16,
  kInt32,
  kInt64,
  kFp16,
  kFp32,
  kFp64,
  kBytes,  // Variable length elements: u32 little-endian length, then the bytes, per element.
  kBf16,
};

// "FP32", "BYTES", ...; "INVALID" for kInvalid.
std::string_view DataTypeName(DataType type);
// kInvalid when `name` is none of the names above.
DataType DataTypeFromName(std::string_view name);
// Bytes of one element; 0 for kBytes and kInvalid.
size_t DataTypeSize(DataType type);

using Dims = std::vector<int64_t>;

// Product of `dims`; nullopt when one is negative or the product exceeds int64.
std::optional<int64_t> ElementCount(std::span<const int64_t> dims);
// Element count times element size; nullopt on overflow, on a dynamic dim and for kBytes.
std::optional<size_t> TensorBytes(DataType type, std::span<const int64_t> dims);
// "[1,3,48,48]", as Triton's messages print shapes.
std::string DimsToString(std::span<const int64_t> dims);

// A named input or output. In `dims`, -1 is any size. Whether dims carry the batch dimension is
// said by whoever holds the spec.
struct TensorSpec {
  std::string name;
  DataType type = DataType::kInvalid;
  Dims dims;

  bool operator==(const TensorSpec&) const = default;
};

}  // namespace omserve
