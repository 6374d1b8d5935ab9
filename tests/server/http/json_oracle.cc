// SPDX-License-Identifier: Apache-2.0
#include "tests/server/http/json_oracle.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <boost/json/basic_parser_impl.hpp>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <span>
#include <type_traits>

#include "runtime/base/bytes_tensor.h"
#include "runtime/base/errors.h"
#include "server/http/json_cut.h"
#include "server/http/json_tensors.h"

namespace omserve::server {
namespace {

namespace json = boost::json;

constexpr size_t kDeep = 4096;
constexpr long kFar = 1L << 40;  // NOLINT: as strtol has it.

json::parse_options Deeply() {
  json::parse_options options;
  options.max_depth = kDeep;
  return options;
}

template <typename T>
void Append(T number, std::string* raw) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &number, sizeof(T));
  raw->append(bytes, sizeof(T));
}

template <typename T>
bool AppendFloat(const std::string& text, std::string* raw) {
  T number = 0;
  if constexpr (std::is_same_v<T, float>) {
    number = std::strtof(text.c_str(), nullptr);
  } else {
    number = std::strtod(text.c_str(), nullptr);
  }
  Append(number, raw);
  return std::isfinite(number);
}

// Without leading and trailing zeros, as large numbers are compared.
template <typename T>
bool AppendWhole(const std::string& text, std::string* raw) {
  std::string digits;
  long exponent = 0;  // NOLINT: as strtol has it.
  bool behind_point = false;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '.') {
      behind_point = true;
    } else if (text[i] == 'e' || text[i] == 'E') {
      exponent += std::clamp(std::strtol(text.c_str() + i + 1, nullptr, 10), -kFar, kFar);
      break;
    } else if (text[i] != '-') {
      digits += text[i];
      exponent -= behind_point ? 1 : 0;
    }
  }
  while (!digits.empty() && digits.back() == '0') {
    digits.pop_back();
    ++exponent;
  }
  if (digits.find_first_not_of('0') == std::string::npos) {
    Append(T{0}, raw);
    return true;
  }
  if (exponent < 0 || exponent > 20) {
    return false;
  }
  __extension__ __int128 number = 0;
  digits.append(static_cast<size_t>(exponent), '0');
  for (const char digit : digits) {
    number = number * 10 + (digit - '0');
    if (number > std::numeric_limits<uint64_t>::max()) {
      return false;
    }
  }
  number = text.front() == '-' ? -number : number;
  Append(static_cast<T>(number), raw);
  return number >= std::numeric_limits<T>::min() && number <= std::numeric_limits<T>::max();
}

// Boost.JSON's events, of which only elements of nested arrays are liked.
class Elements final {
 public:
  static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
  static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

  void Start(DataType type) { type_ = type; }
  bool liked() const { return liked_; }
  int64_t count() const { return count_; }
  const std::string& raw() const { return raw_; }

  bool on_document_begin(json::error_code&) { return true; }
  bool on_document_end(json::error_code&) { return true; }
  bool on_array_begin(json::error_code&) {
    liked_ = liked_ && ++depth_ <= kMostJsonDepth;
    return true;
  }
  bool on_array_end(std::size_t, json::error_code&) {
    --depth_;
    return true;
  }
  bool on_object_begin(json::error_code&) { return liked_ = false, true; }
  bool on_object_end(std::size_t, json::error_code&) { return true; }
  bool on_string_part(json::string_view text, std::size_t, json::error_code&) {
    text_.append(text.data(), text.size());
    return true;
  }
  bool on_string(json::string_view text, std::size_t, json::error_code&) {
    text_.append(text.data(), text.size());
    ++count_;
    liked_ = liked_ && type_ == DataType::kBytes && AppendBytesElement(text_, &raw_).ok();
    text_.clear();
    return true;
  }
  bool on_key_part(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_key(json::string_view, std::size_t, json::error_code&) { return true; }
  bool on_number_part(json::string_view text, json::error_code&) {
    text_.append(text.data(), text.size());
    return true;
  }
  bool on_int64(int64_t, json::string_view text, json::error_code&) { return OnNumber(text); }
  bool on_uint64(uint64_t, json::string_view text, json::error_code&) { return OnNumber(text); }
  bool on_double(double, json::string_view text, json::error_code&) { return OnNumber(text); }
  bool on_bool(bool value, json::error_code&) {
    ++count_;
    liked_ = liked_ && type_ == DataType::kBool;
    raw_ += static_cast<char>(value);
    return true;
  }
  bool on_null(json::error_code&) { return liked_ = false, true; }
  bool on_comment_part(json::string_view, json::error_code&) { return true; }
  bool on_comment(json::string_view, json::error_code&) { return true; }

 private:
  bool OnNumber(json::string_view text) {
    text_.append(text.data(), text.size());
    ++count_;
    liked_ = liked_ && AppendNumber(text_);
    text_.clear();
    return true;
  }

  bool AppendNumber(const std::string& text) {
    switch (type_) {
      case DataType::kUint8:
        return AppendWhole<uint8_t>(text, &raw_);
      case DataType::kUint16:
        return AppendWhole<uint16_t>(text, &raw_);
      case DataType::kUint32:
        return AppendWhole<uint32_t>(text, &raw_);
      case DataType::kUint64:
        return AppendWhole<uint64_t>(text, &raw_);
      case DataType::kInt8:
        return AppendWhole<int8_t>(text, &raw_);
      case DataType::kInt16:
        return AppendWhole<int16_t>(text, &raw_);
      case DataType::kInt32:
        return AppendWhole<int32_t>(text, &raw_);
      case DataType::kInt64:
        return AppendWhole<int64_t>(text, &raw_);
      case DataType::kFp32:
        return AppendFloat<float>(text, &raw_);
      case DataType::kFp64:
        return AppendFloat<double>(text, &raw_);
      default:
        return false;
    }
  }

  DataType type_ = DataType::kInvalid;
  bool liked_ = true;
  size_t depth_ = 0;
  int64_t count_ = 0;
  std::string text_;
  std::string raw_;
};

std::string Quoted(std::string_view text) { return "\"" + std::string(text.substr(0, 200)) + "\""; }

}  // namespace

// Boost.JSON reads "0e999" as no number at all, which is not equal to itself.
bool Same(const json::value& a, const json::value& b) {
  return a == b || json::serialize(a) == json::serialize(b);
}

std::optional<json::value> BoostParse(std::string_view text) {
  json::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error, {}, Deeply());
  return error ? std::nullopt : std::optional(std::move(value));
}

std::optional<std::string> OracleTensor(std::string_view text, DataType type, int64_t count) {
  if (type == DataType::kInvalid || type == DataType::kFp16 || type == DataType::kBf16) {
    return std::nullopt;
  }
  json::basic_parser<Elements> parser(Deeply());
  parser.handler().Start(type);
  json::error_code error;
  const size_t used = parser.write_some(false, text.data(), text.size(), error);
  const Elements& elements = parser.handler();
  if (error || used != text.size() || !elements.liked() || elements.count() != count) {
    return std::nullopt;
  }
  return elements.raw();
}

absl::StatusOr<std::string> EncodedTensor(std::string_view text, DataType type, int64_t count) {
  const JsonTensor tensor{text, type, count};
  RETURN_IF_ERROR(CheckJsonTensor(tensor));
  if (type == DataType::kBytes) {
    return ReadJsonTexts(tensor);
  }
  std::string raw(static_cast<size_t>(count) * DataTypeSize(type), '\0');
  RETURN_IF_ERROR(ReadJsonTensor(tensor, std::as_writable_bytes(std::span(raw))));
  return raw;
}

std::string TensorDifference(std::string_view text, DataType type, int64_t count) {
  json::error_code error;
  json::parse(json::string_view(text.data(), text.size()), error, {}, Deeply());
  if (error == json::error::exponent_overflow) {
    return "";  // JSON has no such limit, and neither have we.
  }
  const std::optional<std::string> expected = OracleTensor(text, type, count);
  const absl::StatusOr<std::string> read = EncodedTensor(text, type, count);
  if (read.ok() != expected.has_value()) {
    return fmt::format("{} of {} as {}: {}, but the oracle {} it", Quoted(text), count,
                       DataTypeName(type), read.ok() ? "taken" : MessageOf(read.status()),
                       expected.has_value() ? "takes" : "refuses");
  }
  if (!read.ok()) {
    return read.status().code() == absl::StatusCode::kInvalidArgument &&
                   !MessageOf(read.status()).empty()
               ? ""
               : "a refusal is the client's fault, and says why";
  }
  if (*read != *expected) {
    return fmt::format("{} as {}: other bytes than the oracle's", Quoted(text), DataTypeName(type));
  }
  return TextDifference(type, *read);
}

std::string CutDifference(std::string_view text) {
  const std::optional<json::value> whole = BoostParse(text);
  const absl::StatusOr<CutRequest> cut = CutTensorData(text);
  if (!cut.ok()) {
    return "";  // Something is there twice, which Boost.JSON does not mind.
  }
  const std::optional<json::value> document = BoostParse(cut->document);
  bool all = document.has_value();
  for (const std::string_view data : cut->data) {
    all = all && BoostParse(data).has_value();
  }
  if (all != whole.has_value()) {
    return Quoted(text) + ": the parts are JSON where the whole is not, or the other way round";
  }
  const json::object* object = all ? whole->if_object() : nullptr;
  const json::value* inputs = object == nullptr ? nullptr : object->if_contains("inputs");
  if (inputs == nullptr || !inputs->is_array()) {
    return all && !Same(*document, *whole) ? Quoted(text) + ": cut where nothing is to be cut" : "";
  }
  const json::array& cut_inputs = document->get_object().at("inputs").get_array();
  for (size_t i = 0; i < inputs->get_array().size(); ++i) {
    const json::object* input = inputs->get_array()[i].if_object();
    const json::value* data = input == nullptr ? nullptr : input->if_contains("data");
    if (data == nullptr) {
      continue;
    }
    const int64_t* index = cut_inputs[i].get_object().at("data").if_int64();
    if (index == nullptr || static_cast<size_t>(*index) >= cut->data.size() ||
        !Same(*BoostParse(cut->data[static_cast<size_t>(*index)]), *data)) {
      return Quoted(text) + ": other data were cut out than are there";
    }
  }
  return "";
}

std::string TextDifference(DataType type, std::string_view raw) {
  const size_t element = std::max<size_t>(1, DataTypeSize(type));
  raw = raw.substr(0, raw.size() / element * element);
  std::string text;
  if (!AppendJsonTensor(type, std::as_bytes(std::span(raw)), &text).ok()) {
    return "";
  }
  const std::optional<json::value> document = BoostParse(text);
  if (!document.has_value() || !document->is_array()) {
    return Quoted(text) + ": no array of JSON was written";
  }
  const auto count = static_cast<int64_t>(document->get_array().size());
  const absl::StatusOr<std::string> again = EncodedTensor(text, type, count);
  std::string expected(raw);
  if (type == DataType::kBool) {  // Any byte but zero is true, which is written as one.
    std::replace_if(
        expected.begin(), expected.end(), [](char byte) { return byte != 0; }, '\1');
  }
  if (!again.ok() || *again != expected) {
    return fmt::format("{} as {}: not what was written", Quoted(text), DataTypeName(type));
  }
  return "";
}

}  // namespace omserve::server
