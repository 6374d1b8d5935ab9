// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/tensor.h"

#include <array>
#include <limits>

namespace omserve {
namespace {

struct TypeRow {
  std::string_view name;
  size_t size;
};
// Indexed by DataType.
constexpr std::array<TypeRow, 15> kTypes = {{{"INVALID", 0},
                                             {"BOOL", 1},
                                             {"UINT8", 1},
                                             {"UINT16", 2},
                                             {"UINT32", 4},
                                             {"UINT64", 8},
                                             {"INT8", 1},
                                             {"INT16", 2},
                                             {"INT32", 4},
                                             {"INT64", 8},
                                             {"FP16", 2},
                                             {"FP32", 4},
                                             {"FP64", 8},
                                             {"BYTES", 0},
                                             {"BF16", 2}}};

}  // namespace

std::string_view DataTypeName(DataType type) { return kTypes.at(static_cast<size_t>(type)).name; }

DataType DataTypeFromName(std::string_view name) {
  for (size_t i = 1; i < kTypes.size(); ++i) {
    if (kTypes.at(i).name == name) {
      return static_cast<DataType>(i);
    }
  }
  return DataType::kInvalid;
}

size_t DataTypeSize(DataType type) { return kTypes.at(static_cast<size_t>(type)).size; }

std::optional<int64_t> ElementCount(std::span<const int64_t> dims) {
  int64_t count = 1;
  bool zero = false;
  for (const int64_t dim : dims) {
    if (dim < 0) {
      return std::nullopt;
    }
    if (dim == 0) {
      zero = true;  // Keep looking: a negative dim after a zero is still wrong.
    } else if (__builtin_mul_overflow(count, dim, &count)) {
      return std::nullopt;
    }
  }
  return zero ? 0 : count;
}

std::optional<size_t> TensorBytes(DataType type, std::span<const int64_t> dims) {
  const std::optional<int64_t> count = ElementCount(dims);
  const size_t size = DataTypeSize(type);
  size_t bytes = 0;
  if (!count.has_value() || size == 0 ||
      __builtin_mul_overflow(static_cast<size_t>(*count), size, &bytes)) {
    return std::nullopt;
  }
  return bytes;
}

std::string DimsToString(std::span<const int64_t> dims) {
  std::string text = "[";
  for (size_t i = 0; i < dims.size(); ++i) {
    text += (i == 0 ? "" : ",") + std::to_string(dims[i]);
  }
  return text + "]";
}

}  // namespace omserve
