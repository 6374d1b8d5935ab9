// SPDX-License-Identifier: Apache-2.0
// What there is to serve, and its loading and unloading.
#include <boost/json.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "runtime/base/errors.h"
#include "server/core/model_messages.h"
#include "server/core/usable_models.h"
#include "server/http/json_object.h"
#include "server/http/routes.h"

namespace omserve::server {
namespace {

namespace json = boost::json;

constexpr size_t kMostShownBytes = 256;  // Of what a client wrote.

// The body's "parameters"; empty where it has none.
absl::StatusOr<json::object> ReadParameters(const std::string& body) {
  ASSIGN_OR_RETURN(json::object asked, ReadJsonObject(body, EmptyBody::kIsEmptyObject));
  json::value* parameters = asked.if_contains("parameters");
  if (parameters == nullptr) {
    return json::object();
  }
  if (!parameters->is_object()) {
    return InvalidArgument("'parameters' must be an object");
  }
  return std::move(parameters->get_object());
}

// The body's "ready": only what is served. An empty body asks for everything.
absl::StatusOr<bool> ReadyOnly(const std::string& body) {
  ASSIGN_OR_RETURN(const json::object asked, ReadJsonObject(body, EmptyBody::kIsEmptyObject));
  const json::value* ready = asked.if_contains("ready");
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

absl::StatusOr<LoadParameters> LoadParametersOf(const std::string& body) {
  ASSIGN_OR_RETURN(const json::object given, ReadParameters(body));
  LoadParameters parameters;
  for (const auto& [key, value] : given) {
    const std::string name(std::string_view(key.data(), key.size()));
    const bool is_file = name.starts_with(kFilePrefix);
    if (!is_file && name != "config") {
      return UnknownLoadParameter(name);
    }
    if (!value.is_string()) {
      return InvalidArgument("invalid value type for '{}' parameter, expected string.",
                             name.substr(0, kMostShownBytes));
    }
    const std::string_view text(value.get_string().data(), value.get_string().size());
    if (!is_file) {
      parameters.config = std::string(text);
      continue;
    }
    ASSIGN_OR_RETURN(std::string bytes, DecodeBase64(text));
    RETURN_IF_ERROR(AddFile(name, std::move(bytes), parameters));
  }
  return parameters;
}

absl::StatusOr<bool> UnloadsParts(const std::string& body) {
  ASSIGN_OR_RETURN(const json::object given, ReadParameters(body));
  const json::value* parts = given.if_contains("unload_dependents");
  if (parts != nullptr && !parts->is_bool()) {
    return InvalidArgument("invalid value type for 'unload_dependents' parameter, expected bool.");
  }
  return parts != nullptr && parts->get_bool();
}

// Answers when what was asked for is done.
ModelRepository::Done AnswerTo(const std::shared_ptr<HttpExchange>& exchange) {
  return [exchange](const absl::Status& done) {
    exchange->Answer(done.ok() ? HttpReply{.body = ""} : HttpError(done));
  };
}

void Load(const FrontDoor& door, const HttpRequest& request,
          const std::shared_ptr<HttpExchange>& exchange) {
  absl::StatusOr<LoadParameters> parameters = LoadParametersOf(request.body());
  if (!parameters.ok()) {
    exchange->Answer(HttpError(parameters.status()));
    return;
  }
  door.repository.Load(request.parts.model, *std::move(parameters), RequesterOf(request.caller),
                       AnswerTo(exchange));
}

void Unload(const FrontDoor& door, const HttpRequest& request,
            const std::shared_ptr<HttpExchange>& exchange) {
  const absl::StatusOr<bool> parts = UnloadsParts(request.body());
  if (!parts.ok()) {
    exchange->Answer(HttpError(parts.status()));
    return;
  }
  door.repository.Unload(request.parts.model, *parts, RequesterOf(request.caller),
                         AnswerTo(exchange));
}

}  // namespace

void AddRepositoryRoutes(const FrontDoor& door, std::vector<Route>& routes) {
  routes.push_back(
      {.verb = "POST",
       .pattern = "/v2/repository[/{repository}]/index",
       .group = MethodGroup::kModelRepository,
       .handler = AtOnce([&door](const HttpRequest& request) { return Index(door, request); })});
  // The body of a load may bring a model's files.
  routes.push_back(
      {.verb = "POST",
       .pattern = "/v2/repository[/{repository}]/models/{model}/load",
       .group = MethodGroup::kModelRepository,
       .handler =
           [&door](const HttpRequest& request, const std::shared_ptr<HttpExchange>& exchange) {
             Load(door, request, exchange);
           },
       .is_control = true,
       .takes_long_body = true});
  routes.push_back(
      {.verb = "POST",
       .pattern = "/v2/repository[/{repository}]/models/{model}/unload",
       .group = MethodGroup::kModelRepository,
       .handler =
           [&door](const HttpRequest& request, const std::shared_ptr<HttpExchange>& exchange) {
             Unload(door, request, exchange);
           },
       .is_control = true});
}

}  // namespace omserve::server
