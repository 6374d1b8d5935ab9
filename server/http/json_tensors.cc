// SPDX-License-Identifier: Apache-2.0
#include "server/http/json_tensors.h"

#include <boost/json.hpp>
#include <cmath>
#include <cstring>
#include <iterator>
#include <limits>
#include <type_traits>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/errors.h"

namespace omserve::server {
namespace {

namespace json = boost::json;

// A refused value as it came, but not all of a long one.
std::string Shown(const json::value& value) {
  std::string text = json::serialize(value);
  constexpr size_t kMost = 60;
  if (text.size() > kMost) {
    text.resize(kMost);
    text += "...";
  }
  return text;
}

// Walks nested arrays and appends their elements.
class Encoder final {
 public:
  // Nothing is reserved for `count`, which a client may have made up.
  Encoder(DataType type, int64_t count) : type_(type), count_(count) {}

  absl::Status Walk(const json::value& value) {
    if (!value.is_array()) {
      return Append(value);
    }
    for (const json::value& element : value.as_array()) {
      RETURN_IF_ERROR(Walk(element));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Take() {
    if (done_ != count_) {
      return InvalidArgument("its data has {} elements, but its shape needs {}", done_, count_);
    }
    return std::move(raw_);
  }

 private:
  absl::Status Append(const json::value& value) {
    if (done_ == count_) {
      return InvalidArgument("its data has more than the {} elements of its shape", count_);
    }
    RETURN_IF_ERROR(AppendTyped(value));
    ++done_;
    return absl::OkStatus();
  }

  absl::Status AppendTyped(const json::value& value) {
    switch (type_) {
      case DataType::kBool:
        if (!value.is_bool()) {
          return Wrong(value, "true or false");
        }
        raw_ += static_cast<char>(value.get_bool() ? 1 : 0);
        return absl::OkStatus();
      case DataType::kBytes:
        if (!value.is_string()) {
          return Wrong(value, "a string");
        }
        return AppendBytesElement(std::string_view(value.get_string()), &raw_);
      case DataType::kUint8:
        return AppendNumber<uint8_t>(value);
      case DataType::kUint16:
        return AppendNumber<uint16_t>(value);
      case DataType::kUint32:
        return AppendNumber<uint32_t>(value);
      case DataType::kUint64:
        return AppendNumber<uint64_t>(value);
      case DataType::kInt8:
        return AppendNumber<int8_t>(value);
      case DataType::kInt16:
        return AppendNumber<int16_t>(value);
      case DataType::kInt32:
        return AppendNumber<int32_t>(value);
      case DataType::kInt64:
        return AppendNumber<int64_t>(value);
      case DataType::kFp32:
        return AppendNumber<float>(value);
      case DataType::kFp64:
        return AppendNumber<double>(value);
      default:
        return InvalidArgument("data of type {} has no JSON form; send it as binary data",
                               DataTypeName(type_));
    }
  }

  template <typename T>
  absl::Status AppendNumber(const json::value& value) {
    json::error_code error;
    T number{};
    if constexpr (std::is_floating_point_v<T>) {
      const double wide = value.to_number<double>(error);
      if (!error && std::abs(wide) > static_cast<double>(std::numeric_limits<T>::max())) {
        return Wrong(value, "a number in range");
      }
      number = static_cast<T>(wide);
    } else {
      number = value.to_number<T>(error);
    }
    if (error) {
      return Wrong(value, std::is_floating_point_v<T> ? "a number" : "a whole number in range");
    }
    char bytes[sizeof(T)];
    std::memcpy(bytes, &number, sizeof(T));
    raw_.append(bytes, sizeof(T));
    return absl::OkStatus();
  }

  absl::Status Wrong(const json::value& value, std::string_view expected) const {
    return InvalidArgument("element {} of its data is {}, expected {} for {}", done_, Shown(value),
                           expected, DataTypeName(type_));
  }

  const DataType type_;
  const int64_t count_;
  int64_t done_ = 0;
  std::string raw_;
};

template <typename T>
absl::Status AppendNumbers(std::span<const std::byte> raw, std::string* text) {
  for (size_t at = 0; at + sizeof(T) <= raw.size(); at += sizeof(T)) {
    T number;
    std::memcpy(&number, raw.data() + at, sizeof(T));
    if constexpr (std::is_floating_point_v<T>) {
      if (!std::isfinite(number)) {
        return InvalidArgument("element {} is {}, which JSON cannot say; ask for binary data",
                               at / sizeof(T), number);
      }
    }
    if (at > 0) {
      text->push_back(',');
    }
    if constexpr (sizeof(T) == 1) {
      fmt::format_to(std::back_inserter(*text), "{}", static_cast<int>(number));
    } else {
      fmt::format_to(std::back_inserter(*text), "{}", number);
    }
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

absl::StatusOr<std::string> EncodeJsonTensor(const json::value& data, DataType type,
                                             int64_t count) {
  Encoder encoder(type, count);
  RETURN_IF_ERROR(encoder.Walk(data));
  return encoder.Take();
}

absl::Status AppendJsonTensor(DataType type, std::span<const std::byte> raw, std::string* text) {
  text->push_back('[');
  RETURN_IF_ERROR(AppendElements(type, raw, text));
  text->push_back(']');
  return absl::OkStatus();
}

}  // namespace omserve::server
