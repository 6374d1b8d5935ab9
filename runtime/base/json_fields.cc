// SPDX-License-Identifier: Apache-2.0
#include "runtime/base/json_fields.h"

#include <boost/json.hpp>
#include <new>
#include <utility>

#include "runtime/base/errors.h"

namespace omserve {
namespace {

namespace json = boost::json;

absl::Status Missing(std::string_view key, std::string_view where, std::string_view expected) {
  return InvalidArgument("{}: '{}' is missing; expected {}", where, key, expected);
}

absl::Status OtherType(std::string_view key, std::string_view where, std::string_view expected) {
  return InvalidArgument("{}: '{}' is not {}", where, key, expected);
}

// A document grows to many times its text where that is of many small values, and anybody can write
// one: more than this many times is none of ours.
constexpr size_t kMostGrowth = 4;
constexpr size_t kAlwaysAllowed = size_t{1} << 20;

// Throws, as the library wants it, where a document would take more than `most` bytes.
class LimitedMemory final : public json::memory_resource {
 public:
  explicit LimitedMemory(size_t most) : left_(most) {}

 private:
  void* do_allocate(size_t size, size_t /*alignment*/) override {
    if (size > left_) {
      throw std::bad_alloc();
    }
    left_ -= size;
    return ::operator new(size);  // Aligned for everything that a document holds.
  }
  void do_deallocate(void* at, size_t size, size_t /*alignment*/) override {
    left_ += size;
    ::operator delete(at);
  }
  bool do_is_equal(const json::memory_resource& other) const noexcept override {
    return this == &other;
  }

  size_t left_;
};

}  // namespace

absl::StatusOr<json::object> ParseObject(std::string_view text, std::string_view where) {
  json::error_code error;
  json::value value;
  try {
    value = json::parse(
        json::string_view(text.data(), text.size()), error,
        json::make_shared_resource<LimitedMemory>(kMostGrowth * text.size() + kAlwaysAllowed));
  } catch (const std::bad_alloc&) {  // The library has no other way to say it.
    return InvalidArgument("{}: {} bytes of JSON with far more values than it may have", where,
                           text.size());
  }
  if (error) {
    return InvalidArgument("{}: not JSON ({}); expected an object in UTF-8", where,
                           error.message());
  }
  if (!value.is_object()) {
    return InvalidArgument("{}: not a JSON object", where);
  }
  return json::object(value.get_object(), json::storage_ptr());
}

const json::value* FindField(const json::object& object, std::string_view key) {
  const json::value* const value = object.if_contains(json::string_view(key.data(), key.size()));
  return value == nullptr || value->is_null() ? nullptr : value;
}

absl::StatusOr<std::string> TextField(const json::object& object, std::string_view key,
                                      std::string_view where) {
  const json::value* const value = FindField(object, key);
  if (value == nullptr) {
    return Missing(key, where, "a text");
  }
  if (!value->is_string()) {
    return OtherType(key, where, "a text");
  }
  return std::string(value->get_string().data(), value->get_string().size());
}

absl::Status CheckTextField(const json::object& object, std::string_view key,
                            std::string_view expected, std::string_view where) {
  ASSIGN_OR_RETURN(const std::string text, TextField(object, key, where));
  if (text != expected) {
    return InvalidArgument("{}: '{}' is '{}', expected '{}'", where, key, Shown(text), expected);
  }
  return absl::OkStatus();
}

absl::StatusOr<const json::object*> ObjectField(const json::object& object, std::string_view key,
                                                std::string_view where) {
  const json::value* const value = FindField(object, key);
  if (value == nullptr) {
    return Missing(key, where, "an object");
  }
  if (!value->is_object()) {
    return OtherType(key, where, "an object");
  }
  return &value->get_object();
}

absl::StatusOr<const json::array*> ListField(const json::object& object, std::string_view key,
                                             size_t most, std::string_view where) {
  const json::value* const value = FindField(object, key);
  if (value == nullptr) {
    return Missing(key, where, "a list");
  }
  if (!value->is_array()) {
    return OtherType(key, where, "a list");
  }
  if (value->get_array().size() > most) {
    return InvalidArgument("{}: '{}' has {} entries, at most {} are read", where, key,
                           value->get_array().size(), most);
  }
  return &value->get_array();
}

absl::StatusOr<uint64_t> NumberOf(const json::value& value, uint64_t least, uint64_t most,
                                  std::string_view where) {
  json::error_code error;
  const auto number = value.is_number() ? value.to_number<uint64_t>(error) : uint64_t{0};
  if (!value.is_number() || error || number < least || number > most) {
    return InvalidArgument("{}: not a whole number from {} to {}", where, least, most);
  }
  return number;
}

absl::StatusOr<const json::object*> ObjectOf(const json::value& value, std::string_view where) {
  if (!value.is_object()) {
    return InvalidArgument("{}: not an object", where);
  }
  return &value.get_object();
}

std::string Shown(std::string_view text) {
  constexpr size_t kMostBytes = 80;
  std::string shown(text.substr(0, kMostBytes));
  for (char& c : shown) {
    if (c < ' ' || c > '~') {
      c = '?';
    }
  }
  return text.size() > kMostBytes ? shown + "..." : shown;
}

}  // namespace omserve
