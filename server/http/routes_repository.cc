// SPDX-License-Identifier: Apache-2.0
// What there is to serve.
#include <boost/json.hpp>
#include <utility>

#include "runtime/base/errors.h"
#include "server/core/auth/usable_models.h"
#include "server/core/model_messages.h"
#include "server/http/routes.h"

namespace omserve::server {
namespace {

namespace json = boost::json;

// The body's "ready": only what is served. An empty body asks for everything.
absl::StatusOr<bool> ReadyOnly(const std::string& body) {
  if (body.empty()) {
    return false;
  }
  json::error_code error;
  const json::value asked = json::parse(json::string_view(body.data(), body.size()), error);
  if (error || !asked.is_object()) {
    return InvalidArgument("the request is not a JSON object: {}",
                           error ? error.message() : "it is another JSON value");
  }
  const json::value* ready = asked.get_object().if_contains("ready");
  if (ready != nullptr && !ready->is_bool()) {
    return InvalidArgument("'ready' must be true or false");
  }
  return ready != nullptr && ready->get_bool();
}

HttpReply Index(const FrontDoor& door, const HttpRequest& request) {
  const absl::StatusOr<bool> ready_only = ReadyOnly(request.body());
  if (!ready_only.ok()) {
    return HttpError(ready_only.status());
  }
  inference::RepositoryIndexResponse index;
  FillIndex(door.catalog.List(), *ready_only, &index);
  KeepUsable(request.caller, index.mutable_models());
  json::array models;
  for (const inference::RepositoryIndexResponse::ModelIndex& model : index.models()) {
    json::object line{{"name", model.name()}};
    if (!model.version().empty()) {
      line["version"] = model.version();
    }
    line["state"] = model.state();
    if (!model.reason().empty()) {
      line["reason"] = model.reason();
    }
    models.push_back(std::move(line));
  }
  return HttpJson(200, std::move(models));
}

}  // namespace

void AddRepositoryRoutes(const FrontDoor& door, std::vector<Route>& routes) {
  routes.push_back(
      {.verb = "POST",
       .pattern = "/v2/repository[/{repository}]/index",
       .group = MethodGroup::kModelRepository,
       .handler = AtOnce([&door](const HttpRequest& request) { return Index(door, request); })});
}

}  // namespace omserve::server
