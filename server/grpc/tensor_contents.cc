// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/tensor_contents.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string_view>
#include <vector>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/errors.h"
#include "runtime/base/tensor.h"

namespace omserve::server {
namespace {

// The wire is little-endian and so are we: elements are copied as they stand.
static_assert(std::endian::native == std::endian::little);

using inference::InferTensorContents;

struct Field {
  const char* name;
  bool filled;
};

std::vector<Field> FieldsOf(const InferTensorContents& contents) {
  return {{"bool_contents", !contents.bool_contents().empty()},
          {"int_contents", !contents.int_contents().empty()},
          {"int64_contents", !contents.int64_contents().empty()},
          {"uint_contents", !contents.uint_contents().empty()},
          {"uint64_contents", !contents.uint64_contents().empty()},
          {"fp32_contents", !contents.fp32_contents().empty()},
          {"fp64_contents", !contents.fp64_contents().empty()},
          {"bytes_contents", !contents.bytes_contents().empty()}};
}

// Null for types that have no typed contents.
const char* FieldFor(DataType type) {
  switch (type) {
    case DataType::kBool:
      return "bool_contents";
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
      return "int_contents";
    case DataType::kInt64:
      return "int64_contents";
    case DataType::kUint8:
    case DataType::kUint16:
    case DataType::kUint32:
      return "uint_contents";
    case DataType::kUint64:
      return "uint64_contents";
    case DataType::kFp32:
      return "fp32_contents";
    case DataType::kFp64:
      return "fp64_contents";
    case DataType::kBytes:
      return "bytes_contents";
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kInvalid:
      return nullptr;
  }
  return nullptr;
}

// Elements narrowed to To. nullopt-like: false when one does not fit, with its index.
template <typename To, typename Values>
bool Append(const Values& values, std::string* encoded, int* bad) {
  encoded->resize(static_cast<size_t>(values.size()) * sizeof(To));
  char* at = encoded->data();
  for (int i = 0; i < values.size(); ++i, at += sizeof(To)) {
    const To narrow = static_cast<To>(values[i]);
    if constexpr (std::is_integral_v<To>) {
      if (static_cast<std::decay_t<decltype(values[i])>>(narrow) != values[i]) {
        *bad = i;
        return false;
      }
    }
    std::memcpy(at, &narrow, sizeof(To));
  }
  return true;
}

bool EncodeNumbers(DataType type, const InferTensorContents& contents, std::string* encoded,
                   int* bad) {
  switch (type) {
    case DataType::kBool:
      return Append<uint8_t>(contents.bool_contents(), encoded, bad);
    case DataType::kInt8:
      return Append<int8_t>(contents.int_contents(), encoded, bad);
    case DataType::kInt16:
      return Append<int16_t>(contents.int_contents(), encoded, bad);
    case DataType::kInt32:
      return Append<int32_t>(contents.int_contents(), encoded, bad);
    case DataType::kInt64:
      return Append<int64_t>(contents.int64_contents(), encoded, bad);
    case DataType::kUint8:
      return Append<uint8_t>(contents.uint_contents(), encoded, bad);
    case DataType::kUint16:
      return Append<uint16_t>(contents.uint_contents(), encoded, bad);
    case DataType::kUint32:
      return Append<uint32_t>(contents.uint_contents(), encoded, bad);
    case DataType::kUint64:
      return Append<uint64_t>(contents.uint64_contents(), encoded, bad);
    case DataType::kFp32:
      return Append<float>(contents.fp32_contents(), encoded, bad);
    case DataType::kFp64:
      return Append<double>(contents.fp64_contents(), encoded, bad);
    case DataType::kBytes:
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kInvalid:
      break;
  }
  return true;  // Those were dealt with before.
}

}  // namespace

absl::StatusOr<std::string> EncodeContents(
    const inference::ModelInferRequest::InferInputTensor& tensor, const std::string& model) {
  const InferTensorContents& contents = tensor.contents();
  const DataType type = DataTypeFromName(tensor.datatype());
  const std::string shown_type = tensor.datatype().substr(0, 64);
  if (type == DataType::kInvalid) {
    return InvalidArgument("input '{}' for model '{}': '{}' is no data type of the protocol",
                           tensor.name(), model, shown_type);
  }
  const char* expected = FieldFor(type);
  if (expected == nullptr) {
    return InvalidArgument(
        "input '{}' for model '{}': data of type {} can only be sent in raw_input_contents",
        tensor.name(), model, shown_type);
  }
  for (const Field& field : FieldsOf(contents)) {
    if (field.filled && std::string_view(field.name) != expected) {
      return InvalidArgument(
          "unexpected explicit tensor data for input tensor '{}' for model '{}' of type '{}': got "
          "{}, expected {}",
          tensor.name(), model, shown_type, field.name, expected);
    }
  }
  std::string encoded;
  if (type == DataType::kBytes) {
    for (const std::string& element : contents.bytes_contents()) {
      RETURN_IF_ERROR(AppendBytesElement(element, &encoded));
    }
    return encoded;
  }
  int bad = 0;
  if (!EncodeNumbers(type, contents, &encoded, &bad)) {
    return InvalidArgument("input '{}' for model '{}': element {} of {} does not fit {}",
                           tensor.name(), model, bad, expected, shown_type);
  }
  return encoded;
}

}  // namespace omserve::server
