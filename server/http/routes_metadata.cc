// SPDX-License-Identifier: Apache-2.0
// What the server says of itself.
#include <boost/json.hpp>

#include "server/core/extensions.h"
#include "server/http/routes.h"

namespace omserve::server {
namespace {

HttpReply ServerMetadata(const FrontDoor& door) {
  boost::json::array extensions;
  for (const std::string_view extension : kExtensions) {
    extensions.emplace_back(boost::json::string_view(extension.data(), extension.size()));
  }
  return HttpJson(
      200, {{"name", door.name}, {"version", door.version}, {"extensions", std::move(extensions)}});
}

}  // namespace

void AddMetadataRoutes(const FrontDoor& door, std::vector<Route>& routes) {
  routes.push_back({.verb = "GET",
                    .pattern = "/v2[/]",
                    .group = MethodGroup::kMetadata,
                    .handler = AtOnce(
                        [&door](const HttpRequest& /*request*/) { return ServerMetadata(door); })});
}

}  // namespace omserve::server
