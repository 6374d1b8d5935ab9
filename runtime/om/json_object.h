// SPDX-License-Identifier: Apache-2.0
// JSON objects from files, read key by key. Internal to runtime/om.
#pragma once

#include <boost/json.hpp>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace omserve::om {

absl::StatusOr<boost::json::object> ParseJsonObject(std::string_view text);

// A view, valid as long as the object. A key that is absent gives an empty value (the fallback, a
// null); one of another type is kInvalidArgument naming it.
class JsonObjectReader final {
 public:
  explicit JsonObjectReader(const boost::json::object& object) : object_(&object) {}

  absl::StatusOr<std::string> Text(std::string_view key) const;
  // 0 to `most`.
  absl::StatusOr<uint64_t> Count(std::string_view key, uint64_t most, uint64_t fallback) const;
  absl::StatusOr<std::vector<int64_t>> Numbers(std::string_view key) const;
  absl::StatusOr<std::vector<std::vector<int64_t>>> NumberLists(std::string_view key) const;
  absl::StatusOr<std::vector<std::string>> Texts(std::string_view key) const;
  absl::StatusOr<const boost::json::object*> Object(std::string_view key) const;
  absl::StatusOr<std::vector<const boost::json::object*>> Objects(std::string_view key) const;

 private:
  const boost::json::value* Find(std::string_view key) const;
  absl::StatusOr<const boost::json::array*> Array(std::string_view key) const;

  const boost::json::object* object_;
};

}  // namespace omserve::om
