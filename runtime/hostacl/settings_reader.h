// SPDX-License-Identifier: Apache-2.0
// One JSON object of settings, read key by key, with errors that name key, value and expectation.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "runtime/hostacl/acl_status.h"

namespace omserve::hostacl {

// `origin` names the text in messages. ACL_ERROR_PARSE_FILE where it is not a JSON object.
absl::StatusOr<boost::json::object> ParseSettingsObject(std::string_view text,
                                                        std::string_view origin);

// Borrows the object and `origin`. A key that is absent leaves `*out` as it is; every other failure
// is ACL_ERROR_FILE_ATTR_INVALID.
class SettingsReader final {
 public:
  SettingsReader(const boost::json::object& object, std::string_view origin)
      : object_(object), origin_(origin) {}

  template <typename Integer>
  absl::Status Number(const char* key, int64_t least, int64_t most, Integer* out) const {
    std::optional<int64_t> number;
    RETURN_IF_ERROR(Integral(key, least, most, &number));
    if (number.has_value()) {
      *out = static_cast<Integer>(*number);
    }
    return absl::OkStatus();
  }
  absl::Status Real(const char* key, double least, double most, double* out) const;
  absl::Status Bool(const char* key, bool* out) const;
  absl::Status String(const char* key, std::string* out) const;

  absl::Status OnlyKnownKeys(std::span<const std::string_view> known) const;

 private:
  absl::Status Integral(const char* key, int64_t least, int64_t most,
                        std::optional<int64_t>* out) const;
  absl::Status Mismatch(const char* key, const boost::json::value& value,
                        const std::string& expected) const;

  const boost::json::object& object_;
  const std::string_view origin_;
};

}  // namespace omserve::hostacl
