// SPDX-License-Identifier: Apache-2.0
#include "runtime/hostacl/settings_reader.h"

#include <algorithm>

namespace omserve::hostacl {
namespace {

std::string Text(boost::json::string_view text) { return {text.data(), text.size()}; }

}  // namespace

absl::StatusOr<boost::json::object> ParseSettingsObject(std::string_view text,
                                                        std::string_view origin) {
  boost::json::error_code error;
  boost::json::value value =
      boost::json::parse(boost::json::string_view(text.data(), text.size()), error);
  if (error) {
    return Fail(ACL_ERROR_PARSE_FILE, "{}: not JSON: {}", origin, error.message());
  }
  if (!value.is_object()) {
    return Fail(ACL_ERROR_PARSE_FILE, "{}: expected a JSON object, met {}", origin,
                Text(boost::json::to_string(value.kind())));
  }
  return std::move(value.get_object());
}

absl::Status SettingsReader::Mismatch(const char* key, const boost::json::value& value,
                                      const std::string& expected) const {
  return Fail(ACL_ERROR_FILE_ATTR_INVALID, "{}: '{}' is {}, expected {}", origin_, key,
              boost::json::serialize(value), expected);
}

absl::Status SettingsReader::Integral(const char* key, int64_t least, int64_t most,
                                      std::optional<int64_t>* out) const {
  const boost::json::value* value = object_.if_contains(key);
  if (value == nullptr) {
    return absl::OkStatus();
  }
  // A larger unsigned number is beyond every range here.
  if (!value->is_int64() || value->get_int64() < least || value->get_int64() > most) {
    return Mismatch(key, *value, fmt::format("an integer from {} to {}", least, most));
  }
  *out = value->get_int64();
  return absl::OkStatus();
}

absl::Status SettingsReader::Real(const char* key, double least, double most, double* out) const {
  const boost::json::value* value = object_.if_contains(key);
  if (value == nullptr) {
    return absl::OkStatus();
  }
  boost::json::error_code error;
  const double number = value->to_number<double>(error);
  if (error || !(number >= least && number <= most)) {
    return Mismatch(key, *value, fmt::format("a number from {} to {}", least, most));
  }
  *out = number;
  return absl::OkStatus();
}

absl::Status SettingsReader::Bool(const char* key, bool* out) const {
  const boost::json::value* value = object_.if_contains(key);
  if (value == nullptr) {
    return absl::OkStatus();
  }
  if (!value->is_bool()) {
    return Mismatch(key, *value, "true or false");
  }
  *out = value->get_bool();
  return absl::OkStatus();
}

absl::Status SettingsReader::String(const char* key, std::string* out) const {
  const boost::json::value* value = object_.if_contains(key);
  if (value == nullptr) {
    return absl::OkStatus();
  }
  if (!value->is_string()) {
    return Mismatch(key, *value, "a string");
  }
  *out = std::string(value->get_string().data(), value->get_string().size());
  return absl::OkStatus();
}

absl::Status SettingsReader::OnlyKnownKeys(std::span<const std::string_view> known) const {
  for (const auto& entry : object_) {
    const std::string key = Text(entry.key());
    if (std::find(known.begin(), known.end(), key) == known.end()) {
      return Fail(ACL_ERROR_FILE_ATTR_INVALID, "{}: unknown key '{}'; known are {}", origin_, key,
                  fmt::join(known, ", "));
    }
  }
  return absl::OkStatus();
}

}  // namespace omserve::hostacl
