// SPDX-License-Identifier: Apache-2.0
#include "runtime/om/json_object.h"

#include <utility>

#include "runtime/base/errors.h"

namespace omserve::om {
namespace {

namespace json = boost::json;

absl::Status Mismatch(std::string_view key, std::string_view expected) {
  return InvalidArgument("'{}' is not {}", key, expected);
}

absl::StatusOr<std::vector<int64_t>> NumbersOf(const json::value& list, std::string_view key) {
  constexpr std::string_view kExpected = "a list of whole numbers";
  const json::array* array = list.if_array();
  if (array == nullptr) {
    return Mismatch(key, kExpected);
  }
  std::vector<int64_t> numbers;
  for (const json::value& value : *array) {
    json::error_code error;
    numbers.push_back(value.is_number() ? value.to_number<int64_t>(error) : 0);
    if (!value.is_number() || error) {
      return Mismatch(key, kExpected);
    }
  }
  return numbers;
}

}  // namespace

absl::StatusOr<json::object> ParseJsonObject(std::string_view text) {
  json::error_code error;
  json::value value = json::parse(json::string_view(text.data(), text.size()), error);
  if (error) {
    return InvalidArgument("not JSON ({})", error.message());
  }
  if (!value.is_object()) {
    return InvalidArgument("not a JSON object");
  }
  return std::move(value.get_object());
}

const json::value* JsonObjectReader::Find(std::string_view key) const {
  return object_->if_contains(json::string_view(key.data(), key.size()));
}

absl::StatusOr<std::string> JsonObjectReader::Text(std::string_view key) const {
  const json::value* value = Find(key);
  if (value == nullptr) {
    return std::string();
  }
  if (!value->is_string()) {
    return Mismatch(key, "a text");
  }
  return std::string(value->get_string().data(), value->get_string().size());
}

absl::StatusOr<uint64_t> JsonObjectReader::Count(std::string_view key, uint64_t most,
                                                 uint64_t fallback) const {
  const json::value* value = Find(key);
  if (value == nullptr) {
    return fallback;
  }
  json::error_code error;
  const auto number = value->is_number() ? value->to_number<uint64_t>(error) : 0;
  if (!value->is_number() || error || number > most) {
    return Mismatch(key, fmt::format("a number from 0 to {}", most));
  }
  return number;
}

absl::StatusOr<const json::array*> JsonObjectReader::Array(std::string_view key) const {
  static const json::array empty;
  const json::value* value = Find(key);
  if (value == nullptr) {
    return &empty;
  }
  if (!value->is_array()) {
    return Mismatch(key, "a list");
  }
  return &value->get_array();
}

absl::StatusOr<std::vector<int64_t>> JsonObjectReader::Numbers(std::string_view key) const {
  const json::value* value = Find(key);
  return value == nullptr ? std::vector<int64_t>() : NumbersOf(*value, key);
}

absl::StatusOr<std::vector<std::vector<int64_t>>> JsonObjectReader::NumberLists(
    std::string_view key) const {
  ASSIGN_OR_RETURN(const json::array* const array, Array(key));
  std::vector<std::vector<int64_t>> lists;
  for (const json::value& value : *array) {
    ASSIGN_OR_RETURN(std::vector<int64_t> list, NumbersOf(value, key));
    lists.push_back(std::move(list));
  }
  return lists;
}

absl::StatusOr<std::vector<std::string>> JsonObjectReader::Texts(std::string_view key) const {
  ASSIGN_OR_RETURN(const json::array* const array, Array(key));
  std::vector<std::string> texts;
  for (const json::value& value : *array) {
    if (!value.is_string()) {
      return Mismatch(key, "a list of texts");
    }
    texts.emplace_back(value.get_string().data(), value.get_string().size());
  }
  return texts;
}

absl::StatusOr<const json::object*> JsonObjectReader::Object(std::string_view key) const {
  const json::value* value = Find(key);
  if (value != nullptr && !value->is_object()) {
    return Mismatch(key, "an object");
  }
  return value == nullptr ? nullptr : &value->get_object();
}

absl::StatusOr<std::vector<const json::object*>> JsonObjectReader::Objects(
    std::string_view key) const {
  ASSIGN_OR_RETURN(const json::array* const array, Array(key));
  std::vector<const json::object*> objects;
  for (const json::value& value : *array) {
    if (!value.is_object()) {
      return Mismatch(key, "a list of objects");
    }
    objects.push_back(&value.get_object());
  }
  return objects;
}

}  // namespace omserve::om
