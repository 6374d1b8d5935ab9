// SPDX-License-Identifier: Apache-2.0
#include "server/http/json_tensors.h"

#include <boost/json.hpp>
#include <cstring>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/check.h"
#include "runtime/base/errors.h"
#include "server/http/json_number.h"
#include "server/http/json_scan.h"

namespace omserve::server {
namespace {

namespace json = boost::json;

bool IsJson(std::string_view text) {
  json::error_code error;
  json::parse(json::string_view(text.data(), text.size()), error);
  return !error;
}

constexpr std::string_view kNumber = "a number";

// Follows nested arrays from element to element.
class ElementWalk final {
 public:
  explicit ElementWalk(const JsonTensor& tensor)
      : tensor_(tensor), at_(tensor.text.data()), end_(at_ + tensor.text.size()) {}

  // Calls `read(at, end)` for each element, which returns where it ends; nullptr when it is none of
  // the type, which `expected` describes. At most `count` times.
  template <typename Read>
  absl::Status ForEach(std::string_view expected, Read read) {
    SkipSpace();
    do {
      ASSIGN_OR_RETURN(const bool empty, OpenArrays());
      if (!empty) {
        if (done_ == tensor_.count) {
          return WrongCount("more");
        }
        const char* const past = at_ == end_ ? nullptr : read(at_, end_);
        if (past == nullptr) {
          return Wrong(expected);
        }
        at_ = past;
        ++done_;
      }
      CloseArrays();
    } while (TakeComma());
    if (at_ != end_ || depth_ > 0) {
      return NotJson(depth_ > 0 ? "',' or ']'" : "nothing more");
    }
    return done_ == tensor_.count ? absl::OkStatus() : WrongCount("fewer");
  }

 private:
  void SkipSpace() { at_ = SkipJsonSpace(at_, end_); }

  // Whether the last of them is closed at once.
  absl::StatusOr<bool> OpenArrays() {
    while (at_ != end_ && *at_ == '[') {
      if (++depth_ > kMostJsonDepth) {
        return InvalidArgument("its data has arrays in more than {} others", kMostJsonDepth);
      }
      ++at_;
      SkipSpace();
      if (at_ != end_ && *at_ == ']') {
        return true;
      }
    }
    return false;
  }

  void CloseArrays() {
    SkipSpace();
    while (depth_ > 0 && at_ != end_ && *at_ == ']') {
      --depth_;
      ++at_;
      SkipSpace();
    }
  }

  bool TakeComma() {
    if (depth_ == 0 || at_ == end_ || *at_ != ',') {
      return false;
    }
    ++at_;
    SkipSpace();
    return true;
  }

  std::string Rest() const {
    return at_ == end_ ? "its end" : ShownJson({at_, static_cast<size_t>(end_ - at_)});
  }

  absl::Status Wrong(std::string_view expected) const {
    const char* const past = SkipJsonValue(at_, end_);
    const std::string_view value(at_, past == nullptr ? 0 : static_cast<size_t>(past - at_));
    const bool is_number = SkipJsonNumber(at_, end_) == past && past != nullptr;
    if (!is_number && !IsJson(value)) {
      return NotJson("a value");
    }
    // A number that was asked for and is not taken is too large.
    const bool too_large = is_number && expected == kNumber;
    return InvalidArgument("element {} of its data is {}, expected {}{} for {}", done_,
                           ShownJson(value), expected, too_large ? " in range" : "",
                           DataTypeName(tensor_.type));
  }

  absl::Status NotJson(std::string_view expected) const {
    return InvalidArgument("its data is not JSON: after {} elements there is {}, expected {}",
                           done_, Rest(), expected);
  }

  absl::Status WrongCount(std::string_view than) const {
    return than == "more" ? InvalidArgument("its data has more than the {} elements of its shape",
                                            tensor_.count)
                          : InvalidArgument("its data has {} elements, but its shape needs {}",
                                            done_, tensor_.count);
  }

  const JsonTensor& tensor_;
  const char* at_;
  const char* const end_;
  size_t depth_ = 0;
  int64_t done_ = 0;
};

template <typename T>
absl::Status ReadNumbers(const JsonTensor& tensor, std::span<std::byte> out) {
  std::byte* to = out.data();
  return ElementWalk(tensor).ForEach(std::floating_point<T> ? kNumber : "a whole number in range",
                                     [&to](const char* at, const char* end) {
                                       T number{};
                                       const char* const past = ReadJsonNumber(at, end, &number);
                                       if (past != nullptr) {
                                         std::memcpy(to, &number, sizeof(T));
                                         to += sizeof(T);
                                       }
                                       return past;
                                     });
}

const char* ReadBool(const char* at, const char* end, bool* value) {
  const std::string_view text(at, static_cast<size_t>(end - at));
  *value = text.starts_with("true");
  if (*value) {
    return at + 4;
  }
  return text.starts_with("false") ? at + 5 : nullptr;
}

absl::Status ReadBools(const JsonTensor& tensor, std::span<std::byte> out) {
  size_t i = 0;
  return ElementWalk(tensor).ForEach("true or false", [&](const char* at, const char* end) {
    bool value = false;
    const char* const past = ReadBool(at, end, &value);
    if (past != nullptr) {
      out[i++] = std::byte{value};
    }
    return past;
  });
}

// Whether what stands between the quotes is the string itself.
bool IsPlain(std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x80 || c == '\\') {
      return false;
    }
  }
  return true;
}

}  // namespace

absl::Status CheckJsonTensor(const JsonTensor& tensor) {
  if (tensor.type != DataType::kBytes &&
      (DataTypeSize(tensor.type) == 0 || tensor.type == DataType::kFp16 ||
       tensor.type == DataType::kBf16)) {
    return InvalidArgument("data of type {} has no JSON form; send it as binary data",
                           DataTypeName(tensor.type));
  }
  // An element and the comma behind it are two bytes at least.
  if (static_cast<uint64_t>(tensor.count) <= tensor.text.size() / 2 + 1) {
    return absl::OkStatus();
  }
  // It is too few whatever they are; this says how many.
  return ElementWalk(tensor).ForEach("a value", SkipJsonValue);
}

absl::Status ReadJsonTensor(const JsonTensor& tensor, std::span<std::byte> out) {
  OMSERVE_DCHECK(out.size() == static_cast<size_t>(tensor.count) * DataTypeSize(tensor.type),
                 "there is room for the tensor");
  switch (tensor.type) {
    case DataType::kBool:
      return ReadBools(tensor, out);
    case DataType::kUint8:
      return ReadNumbers<uint8_t>(tensor, out);
    case DataType::kUint16:
      return ReadNumbers<uint16_t>(tensor, out);
    case DataType::kUint32:
      return ReadNumbers<uint32_t>(tensor, out);
    case DataType::kUint64:
      return ReadNumbers<uint64_t>(tensor, out);
    case DataType::kInt8:
      return ReadNumbers<int8_t>(tensor, out);
    case DataType::kInt16:
      return ReadNumbers<int16_t>(tensor, out);
    case DataType::kInt32:
      return ReadNumbers<int32_t>(tensor, out);
    case DataType::kInt64:
      return ReadNumbers<int64_t>(tensor, out);
    case DataType::kFp32:
      return ReadNumbers<float>(tensor, out);
    case DataType::kFp64:
      return ReadNumbers<double>(tensor, out);
    case DataType::kInvalid:
    case DataType::kFp16:
    case DataType::kBf16:
    case DataType::kBytes:
      break;
  }
  return Internal("data of type {} is not read into memory of a known size",
                  DataTypeName(tensor.type));
}

absl::StatusOr<std::string> ReadJsonTexts(const JsonTensor& tensor) {
  std::string raw;
  absl::Status appended;
  const absl::Status walked =
      ElementWalk(tensor).ForEach("a string", [&](const char* at, const char* end) {
        const char* const past = *at == '"' ? SkipJsonString(at, end) : nullptr;
        if (past == nullptr) {
          return past;
        }
        const std::string_view inside(at + 1, static_cast<size_t>(past - at - 2));
        if (IsPlain(inside)) {
          appended.Update(AppendBytesElement(inside, &raw));
          return past;
        }
        json::error_code error;
        const json::value text =
            json::parse(json::string_view(at, static_cast<size_t>(past - at)), error);
        if (error) {
          return static_cast<const char*>(nullptr);
        }
        appended.Update(AppendBytesElement(std::string_view(text.get_string()), &raw));
        return past;
      });
  RETURN_IF_ERROR(walked);
  RETURN_IF_ERROR(appended);
  return raw;
}

}  // namespace omserve::server
