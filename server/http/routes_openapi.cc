// SPDX-License-Identifier: Apache-2.0
// The description of all other routes.
#include <boost/json.hpp>
#include <memory>

#include "server/http/openapi.h"
#include "server/http/routes.h"

namespace omserve::server {

void AddOpenApiRoute(const FrontDoor& door, std::vector<Route>& routes) {
  auto reply = std::make_shared<HttpReply>();
  routes.push_back({.verb = "GET",
                    .pattern = "/v2/openapi.json",
                    .group = MethodGroup::kMetadata,
                    .handler = AtOnce([reply](const HttpRequest& /*request*/) { return *reply; })});
  const absl::StatusOr<boost::json::object> document = OpenApiDocument(routes, door.version);
  *reply = document.ok() ? HttpJson(200, *document) : HttpError(document.status());
}

}  // namespace omserve::server
