// SPDX-License-Identifier: Apache-2.0
// A body that has to be a JSON object. Pure.
#pragma once

#include <boost/json/object.hpp>
#include <string_view>

#include "absl/status/statusor.h"

namespace omserve::server {

enum class EmptyBody { kIsEmptyObject, kIsWrong };

// Errors: kInvalidArgument for what is no JSON, and for another JSON value.
absl::StatusOr<boost::json::object> ReadJsonObject(std::string_view body, EmptyBody empty);

}  // namespace omserve::server
