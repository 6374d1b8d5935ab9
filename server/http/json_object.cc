// SPDX-License-Identifier: Apache-2.0
#include "server/http/json_object.h"

#include <boost/json.hpp>
#include <utility>

#include "runtime/base/errors.h"

namespace omserve::server {

namespace json = boost::json;

absl::StatusOr<json::object> ReadJsonObject(std::string_view body, EmptyBody empty) {
  if (body.empty() && empty == EmptyBody::kIsEmptyObject) {
    return json::object();
  }
  json::error_code error;
  json::value asked = json::parse(json::string_view(body.data(), body.size()), error);
  if (error || !asked.is_object()) {
    return InvalidArgument("the request is not a JSON object: {}",
                           error ? error.message() : "it is another JSON value");
  }
  return std::move(asked.get_object());
}

}  // namespace omserve::server
