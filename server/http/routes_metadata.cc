// SPDX-License-Identifier: Apache-2.0
// What the server and its models say of themselves.
#include <boost/json.hpp>
#include <utility>

#include "server/core/extensions.h"
#include "server/core/model_messages.h"
#include "server/http/message_json.h"
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

HttpReply ModelMetadata(const FrontDoor& door, const PathParts& parts) {
  const absl::StatusOr<ModelHandle> model = door.catalog.Find(parts.model, parts.version);
  if (!model.ok()) {
    return HttpError(model.status());
  }
  inference::ModelMetadataResponse metadata;
  FillMetadata(**model, door.catalog.Versions(parts.model), &metadata);
  return HttpJson(200, MessageToJson(metadata));
}

HttpReply ModelConfig(const FrontDoor& door, const PathParts& parts) {
  const absl::StatusOr<ModelHandle> model = door.catalog.Find(parts.model, parts.version);
  return model.ok() ? HttpJson(200, MessageToJson((*model)->config)) : HttpError(model.status());
}

}  // namespace

void AddMetadataRoutes(const FrontDoor& door, std::vector<Route>& routes) {
  routes.push_back({.verb = "GET",
                    .pattern = "/v2[/]",
                    .group = MethodGroup::kMetadata,
                    .handler = AtOnce(
                        [&door](const HttpRequest& /*request*/) { return ServerMetadata(door); })});
  routes.push_back({.verb = "GET",
                    .pattern = "/v2/models/{model}[/versions/{version}]",
                    .group = MethodGroup::kMetadata,
                    .handler = AtOnce([&door](const HttpRequest& request) {
                      return ModelMetadata(door, request.parts);
                    })});
  routes.push_back({.verb = "GET",
                    .pattern = "/v2/models/{model}[/versions/{version}]/config",
                    .group = MethodGroup::kModelConfig,
                    .handler = AtOnce([&door](const HttpRequest& request) {
                      return ModelConfig(door, request.parts);
                    })});
}

}  // namespace omserve::server
