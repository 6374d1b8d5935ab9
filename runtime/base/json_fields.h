// SPDX-License-Identifier: Apache-2.0
// Fields of JSON objects that others wrote. A library of its own (omserve::json_fields), since it
// needs Boost.JSON and the rest of runtime/base does not.
//
// `where` is the path to the object, such as "statement: predicate"; errors are kInvalidArgument
// with the path of the field and what was expected there.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace omserve {

absl::StatusOr<boost::json::object> ParseObject(std::string_view text, std::string_view where);

// Null where the key is absent or null, which protobuf's JSON takes for the same.
const boost::json::value* FindField(const boost::json::object& object, std::string_view key);

absl::StatusOr<std::string> TextField(const boost::json::object& object, std::string_view key,
                                      std::string_view where);
// Exactly this text.
absl::Status CheckTextField(const boost::json::object& object, std::string_view key,
                            std::string_view expected, std::string_view where);
absl::StatusOr<const boost::json::object*> ObjectField(const boost::json::object& object,
                                                       std::string_view key,
                                                       std::string_view where);
// Of at most `most` entries.
absl::StatusOr<const boost::json::array*> ListField(const boost::json::object& object,
                                                    std::string_view key, size_t most,
                                                    std::string_view where);
// A whole number from `least` to `most`, also when it is written as 8.0.
absl::StatusOr<uint64_t> NumberOf(const boost::json::value& value, uint64_t least, uint64_t most,
                                  std::string_view where);
absl::StatusOr<const boost::json::object*> ObjectOf(const boost::json::value& value,
                                                    std::string_view where);

// For messages: the first 80 bytes, with all but printable ASCII as '?'.
std::string Shown(std::string_view text);

}  // namespace omserve
