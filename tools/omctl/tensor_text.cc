// SPDX-License-Identifier: Apache-2.0
#include "tools/omctl/tensor_text.h"

#include <boost/json.hpp>
#include <cstring>
#include <utility>
#include <vector>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/errors.h"
#include "runtime/base/file.h"

namespace omserve::omctl {
namespace {

namespace json = boost::json;

template <typename T>
void Append(std::string* raw, T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  raw->append(bytes, sizeof(T));
}

template <typename T>
absl::Status AppendInteger(std::string* raw, const json::value& value) {
  json::error_code error;
  const T number = value.to_number<T>(error);
  if (error) {
    return InvalidArgument("{} is not a whole number of this type", json::serialize(value));
  }
  Append(raw, number);
  return absl::OkStatus();
}

absl::Status AppendElement(DataType type, const json::value& value, std::string* raw) {
  if (type == DataType::kBytes) {
    if (!value.is_string()) {
      return InvalidArgument("{} is not a string", json::serialize(value));
    }
    return AppendBytesElement(std::string_view(value.as_string().data(), value.as_string().size()),
                              raw);
  }
  if (type == DataType::kBool) {
    if (!value.is_bool()) {
      return InvalidArgument("{} is neither true nor false", json::serialize(value));
    }
    Append(raw, static_cast<uint8_t>(value.as_bool() ? 1 : 0));
    return absl::OkStatus();
  }
  if (!value.is_number()) {
    return InvalidArgument("{} is not a number", json::serialize(value));
  }
  switch (type) {
    case DataType::kUint8:
      return AppendInteger<uint8_t>(raw, value);
    case DataType::kUint16:
      return AppendInteger<uint16_t>(raw, value);
    case DataType::kUint32:
      return AppendInteger<uint32_t>(raw, value);
    case DataType::kUint64:
      return AppendInteger<uint64_t>(raw, value);
    case DataType::kInt8:
      return AppendInteger<int8_t>(raw, value);
    case DataType::kInt16:
      return AppendInteger<int16_t>(raw, value);
    case DataType::kInt32:
      return AppendInteger<int32_t>(raw, value);
    case DataType::kInt64:
      return AppendInteger<int64_t>(raw, value);
    case DataType::kFp32:
      Append(raw, value.to_number<float>());
      return absl::OkStatus();
    case DataType::kFp64:
      Append(raw, value.to_number<double>());
      return absl::OkStatus();
    default:
      return InvalidArgument("{} has no JSON form; give @file.bin", DataTypeName(type));
  }
}

// Depth first; `dims` takes the lengths of the first element at each depth.
absl::Status Flatten(const json::value& value, DataType type, size_t depth, Dims* dims,
                     std::string* raw) {
  if (!value.is_array()) {
    return AppendElement(type, value, raw);
  }
  const json::array& array = value.as_array();
  if (dims->size() == depth) {
    dims->push_back(static_cast<int64_t>(array.size()));
  } else if ((*dims)[depth] != static_cast<int64_t>(array.size())) {
    return InvalidArgument("its rows have different lengths");
  }
  for (const json::value& element : array) {
    RETURN_IF_ERROR(Flatten(element, type, depth + 1, dims, raw));
  }
  return absl::OkStatus();
}

// Dims for `count` elements typed without nesting: the spec's, with at most one open size.
absl::StatusOr<Dims> FitFlat(const TensorSpec& spec, int64_t count) {
  Dims dims = spec.dims;
  int64_t known = 1;
  int64_t* open = nullptr;
  for (int64_t& dim : dims) {
    if (dim >= 0) {
      known *= dim;
    } else if (open == nullptr) {
      open = &dim;
    } else {
      return InvalidArgument("its dims {} have several open sizes: write nested arrays",
                             DimsToString(spec.dims));
    }
  }
  if (open != nullptr && known > 0 && count % known == 0) {
    *open = count / known;
    return dims;
  }
  if (open == nullptr && known == count) {
    return dims;
  }
  return InvalidArgument("{} elements do not fill dims {}", count, DimsToString(spec.dims));
}

absl::StatusOr<client::Tensor> ParseInner(const TensorSpec& spec, const std::string& text) {
  client::Tensor tensor{.name = spec.name, .type = spec.type};
  const bool from_file = !text.empty() && text[0] == '@';
  std::string contents = text;
  if (from_file) {
    ASSIGN_OR_RETURN(contents, ReadFile(text.substr(1)));
  }
  json::error_code error;
  const bool looks_json = !from_file && !text.empty() && text[0] == '[';
  if (spec.type == DataType::kBytes && !looks_json) {
    RETURN_IF_ERROR(AppendBytesElement(contents, &tensor.raw));
    ASSIGN_OR_RETURN(tensor.dims, FitFlat(spec, 1));
    return tensor;
  }
  if (from_file) {
    const size_t element = DataTypeSize(spec.type);
    if (contents.size() % element != 0) {
      return InvalidArgument("{} bytes are not a whole number of {} elements", contents.size(),
                             DataTypeName(spec.type));
    }
    ASSIGN_OR_RETURN(tensor.dims, FitFlat(spec, static_cast<int64_t>(contents.size() / element)));
    tensor.raw = std::move(contents);
    return tensor;
  }
  const json::value value = json::parse(text, error);
  if (error) {
    return InvalidArgument("'{}' is not JSON: {}", text, error.message());
  }
  RETURN_IF_ERROR(Flatten(value, spec.type, 0, &tensor.dims, &tensor.raw));
  if (tensor.dims.size() <= 1) {
    ASSIGN_OR_RETURN(tensor.dims, FitFlat(spec, tensor.dims.empty() ? 1 : tensor.dims[0]));
  }
  return tensor;
}

template <typename T>
void PushElements(const std::string& raw, json::array* array) {
  for (size_t at = 0; at + sizeof(T) <= raw.size(); at += sizeof(T)) {
    T value;
    std::memcpy(&value, raw.data() + at, sizeof(T));
    array->emplace_back(value);
  }
}

absl::Status PushBytes(const std::string& raw, json::array* array) {
  BytesTensorReader reader(std::as_bytes(std::span(raw)));
  while (!reader.AtEnd()) {
    ASSIGN_OR_RETURN(const std::string_view element, reader.Next());
    json::string text(element.data(), element.size());
    json::error_code error;
    json::parse(json::serialize(json::value(text)), error);  // Refuses what is not UTF-8.
    array->emplace_back(error ? json::value(fmt::format("({} bytes)", element.size()))
                              : json::value(std::move(text)));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<client::Tensor> ParseTensor(const TensorSpec& spec, const std::string& text) {
  absl::StatusOr<client::Tensor> tensor = ParseInner(spec, text);
  if (!tensor.ok()) {
    return WithContext(tensor.status(), "input '" + spec.name + "'");
  }
  return tensor;
}

absl::StatusOr<json::value> TensorToJson(const client::Tensor& tensor) {
  json::array array;
  const std::string& raw = tensor.raw;
  switch (tensor.type) {
    case DataType::kBytes:
      RETURN_IF_ERROR(PushBytes(raw, &array));
      break;
    case DataType::kBool:
      for (const char c : raw) {
        array.emplace_back(c != 0);
      }
      break;
    case DataType::kUint8:
      PushElements<uint8_t>(raw, &array);
      break;
    case DataType::kUint16:
      PushElements<uint16_t>(raw, &array);
      break;
    case DataType::kUint32:
      PushElements<uint32_t>(raw, &array);
      break;
    case DataType::kUint64:
      PushElements<uint64_t>(raw, &array);
      break;
    case DataType::kInt8:
      PushElements<int8_t>(raw, &array);
      break;
    case DataType::kInt16:
      PushElements<int16_t>(raw, &array);
      break;
    case DataType::kInt32:
      PushElements<int32_t>(raw, &array);
      break;
    case DataType::kInt64:
      PushElements<int64_t>(raw, &array);
      break;
    case DataType::kFp32:
      PushElements<float>(raw, &array);
      break;
    case DataType::kFp64:
      PushElements<double>(raw, &array);
      break;
    default:
      return json::value(fmt::format("({} bytes)", raw.size()));
  }
  return json::value(std::move(array));
}

std::string TensorPreview(const client::Tensor& tensor, size_t limit) {
  const absl::StatusOr<json::value> value = TensorToJson(tensor);
  if (!value.ok()) {
    return std::string(MessageOf(value.status()));
  }
  if (!value->is_array()) {
    return json::serialize(*value);
  }
  const json::array& array = value->as_array();
  std::string text;
  for (size_t i = 0; i < array.size() && i < limit; ++i) {
    text += i == 0 ? "" : ", ";
    if (array[i].is_double()) {
      text += fmt::format("{:.6g}", array[i].as_double());
    } else if (array[i].is_string()) {
      text += std::string(array[i].as_string().c_str());
    } else {
      text += json::serialize(array[i]);
    }
  }
  return array.size() > limit ? text + fmt::format(", ... ({} elements)", array.size()) : text;
}

}  // namespace omserve::omctl
