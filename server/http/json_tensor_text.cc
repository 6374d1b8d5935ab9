// SPDX-License-Identifier: Apache-2.0
// Tensors written as JSON.
#include <fmt/compile.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <charconv>
#include <cmath>
#include <concepts>
#include <cstring>
#include <limits>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/errors.h"
#include "server/http/json_float.h"
#include "server/http/json_tensors.h"

namespace omserve::server {
namespace {

namespace json = boost::json;

// Each with a comma behind it.
char* WriteNumbers(std::span<const float> numbers, char* to) {
  return WriteJsonFloats(numbers, to);
}

char* WriteNumbers(std::span<const double> numbers, char* to) {
  for (const double number : numbers) {
    to = fmt::format_to(to, FMT_COMPILE("{},"), number);
  }
  return to;
}

template <std::integral T>
char* WriteNumbers(std::span<const T> numbers, char* to) {
  for (const T number : numbers) {
    to = std::to_chars(to, to + kMostFloatBytes, number).ptr;
    *to++ = ',';
  }
  return to;
}

// Of an element and its comma: as much as most tensors need, so that their text is not moved while
// it grows.
template <typename T>
constexpr size_t kUsualBytes = std::is_floating_point_v<T> ? 3 * sizeof(T) : sizeof(T) + 3;

template <typename T>
absl::Status CheckFinite(std::span<const T> numbers, size_t first) {
  for (size_t i = 0; i < numbers.size(); ++i) {
    if (!std::isfinite(numbers[i])) {
      return InvalidArgument("element {} is {}, which JSON cannot say; ask for binary data",
                             first + i, numbers[i]);
    }
  }
  return absl::OkStatus();
}

template <typename T>
absl::Status AppendNumbers(std::span<const std::byte> raw, std::string* text) {
  const size_t count = raw.size() / sizeof(T);
  text->reserve(text->size() + count * kUsualBytes<T>);
  std::array<T, kFloatsAtOnce> numbers;
  std::array<char, kFloatsAtOnce * kMostFloatBytes> buffer;
  for (size_t at = 0; at < count; at += kFloatsAtOnce) {
    const std::span<const T> some(numbers.data(), std::min(kFloatsAtOnce, count - at));
    std::memcpy(numbers.data(), raw.data() + at * sizeof(T), some.size_bytes());
    if constexpr (std::is_floating_point_v<T>) {
      RETURN_IF_ERROR(CheckFinite(some, at));
    }
    text->append(buffer.data(), WriteNumbers(some, buffer.data()));
  }
  if (count > 0) {
    text->pop_back();  // The last comma.
  }
  return absl::OkStatus();
}

absl::Status AppendTexts(std::span<const std::byte> raw, std::string* text) {
  BytesTensorReader reader(raw);
  bool first = true;
  while (!reader.AtEnd()) {
    ASSIGN_OR_RETURN(const std::string_view element, reader.Next());
    const std::string quoted = json::serialize(json::string_view(element.data(), element.size()));
    json::error_code error;
    json::parse(quoted, error);  // Refuses what is not UTF-8.
    if (error) {
      return InvalidArgument(
          "an element of {} bytes is not UTF-8, which JSON cannot say; ask for "
          "binary data",
          element.size());
    }
    *text += first ? "" : ",";
    *text += quoted;
    first = false;
  }
  return absl::OkStatus();
}

absl::Status AppendElements(DataType type, std::span<const std::byte> raw, std::string* text) {
  switch (type) {
    case DataType::kBool:
      for (size_t i = 0; i < raw.size(); ++i) {
        *text += i > 0 ? "," : "";
        *text += raw[i] != std::byte{0} ? "true" : "false";
      }
      return absl::OkStatus();
    case DataType::kBytes:
      return AppendTexts(raw, text);
    case DataType::kUint8:
      return AppendNumbers<uint8_t>(raw, text);
    case DataType::kUint16:
      return AppendNumbers<uint16_t>(raw, text);
    case DataType::kUint32:
      return AppendNumbers<uint32_t>(raw, text);
    case DataType::kUint64:
      return AppendNumbers<uint64_t>(raw, text);
    case DataType::kInt8:
      return AppendNumbers<int8_t>(raw, text);
    case DataType::kInt16:
      return AppendNumbers<int16_t>(raw, text);
    case DataType::kInt32:
      return AppendNumbers<int32_t>(raw, text);
    case DataType::kInt64:
      return AppendNumbers<int64_t>(raw, text);
    case DataType::kFp32:
      return AppendNumbers<float>(raw, text);
    case DataType::kFp64:
      return AppendNumbers<double>(raw, text);
    default:
      return InvalidArgument("data of type {} has no JSON form; ask for binary data",
                             DataTypeName(type));
  }
}

}  // namespace

absl::Status AppendJsonTensor(DataType type, std::span<const std::byte> raw, std::string* text) {
  text->push_back('[');
  RETURN_IF_ERROR(AppendElements(type, raw, text));
  text->push_back(']');
  return absl::OkStatus();
}

}  // namespace omserve::server
