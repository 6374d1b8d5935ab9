// SPDX-License-Identifier: Apache-2.0
// What operators ask of the models that serve: the methods of omserve.ModelControl
// (proto/omserve/control.proto), whose messages are the bodies.
#include <atomic>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "config/text_binding.h"
#include "runtime/base/errors.h"
#include "server/core/control_messages.h"
#include "server/core/usable_models.h"
#include "server/http/message_json.h"
#include "server/http/routes.h"

namespace omserve::server {
namespace {

// What a change writes is short, but it waits for the disk, which is nothing for the thread of the
// sockets: on a worker, like what is long.
constexpr size_t kWaitsForDisk = std::numeric_limits<size_t>::max();

HttpReply List(const FrontDoor& door, const HttpRequest& request) {
  ListModelsRequest asked;
  asked.set_model_name(request.parts.model);
  ListModelsResponse models;
  const absl::Status listed =
      FillModels(door.catalog, door.control, door.statistics, request.caller, asked, &models);
  return listed.ok() ? HttpJson(200, MessageToJson(models)) : HttpError(listed);
}

// The body onto `asked`, for the model of the path; an empty one asks for nothing beyond that.
template <typename Request>
absl::Status ReadBody(const std::string& body, const std::string& model, Request& asked) {
  if (!body.empty()) {
    RETURN_IF_ERROR(
        config::BindText(config::TextFormat::kJson, body, "the request", asked).status());
  }
  // Who may change the model was decided by the path.
  if (!asked.model_name().empty() && asked.model_name() != model) {
    return InvalidArgument("the request is for model '{}', and its 'model_name' is another", model);
  }
  asked.set_model_name(model);
  return absl::OkStatus();
}

// What is asked for; nullopt: the body is no such request, and that is answered.
template <typename Request>
std::optional<Request> Asked(const HttpRequest& request,
                             const std::shared_ptr<HttpExchange>& exchange) {
  Request asked;
  const absl::Status read = ReadBody(request.body(), request.parts.model, asked);
  if (!read.ok()) {
    exchange->Answer(HttpError(read));
    return std::nullopt;
  }
  return asked;
}

template <typename Request, typename Response>
void Change(const FrontDoor& door, const HttpRequest& request,
            const std::shared_ptr<HttpExchange>& exchange) {
  std::optional<Request> asked = Asked<Request>(request, exchange);
  if (!asked.has_value()) {
    return;
  }
  exchange->Run(
      kWaitsForDisk, [&door, exchange, asked = *std::move(asked), caller = request.caller] {
        Response done;
        const absl::Status status = Perform(door.control, caller, asked, &done);
        exchange->Answer(status.ok() ? HttpJson(200, MessageToJson(done)) : HttpError(status));
      });
}

// Answers when no new request can come to what is drained; those that it has go on.
void Drain(const FrontDoor& door, const HttpRequest& request,
           const std::shared_ptr<HttpExchange>& exchange) {
  const auto asked = Asked<DrainModelRequest>(request, exchange);
  if (!asked.has_value()) {
    return;
  }
  door.repository.Drain(asked->model_name(), asked->version(), RequesterOf(request.caller),
                        [exchange](const absl::Status& done) {
                          exchange->Answer(done.ok()
                                               ? HttpJson(200, MessageToJson(DrainModelResponse()))
                                               : HttpError(done));
                        });
}

// All versions in one answer, good or not.
HttpReply VerifyAll(const FrontDoor& door, const VerifyModelRequest& asked, const Caller& caller,
                    const std::atomic<bool>& is_gone) {
  boost::json::array versions;
  const absl::Status verified =
      door.control.Verify(asked.model_name(), asked.version(), caller.Who(),
                          [&versions, &is_gone](const ModelControl::Verified& found) {
                            versions.push_back(MessageToJson(VerifyMessage(found)));
                            return !is_gone;
                          });
  return verified.ok() ? HttpJson(200, boost::json::object{{"versions", std::move(versions)}})
                       : HttpError(verified);
}

void Verify(const FrontDoor& door, const HttpRequest& request,
            const std::shared_ptr<HttpExchange>& exchange) {
  std::optional<VerifyModelRequest> asked = Asked<VerifyModelRequest>(request, exchange);
  if (!asked.has_value()) {
    return;
  }
  const auto is_gone = std::make_shared<std::atomic<bool>>(false);
  exchange->OnGone([is_gone] { *is_gone = true; });
  exchange->Run(kWaitsForDisk,
                [&door, exchange, asked = *std::move(asked), caller = request.caller, is_gone] {
                  exchange->Answer(VerifyAll(door, asked, caller, *is_gone));
                });
}

Route OperatorRoute(const FrontDoor& door, const char* what,
                    void (*handle)(const FrontDoor&, const HttpRequest&,
                                   const std::shared_ptr<HttpExchange>&)) {
  return {.verb = "POST",
          .pattern = std::string("/v2/repository[/{repository}]/models/{model}/") + what,
          .group = MethodGroup::kModelRepository,
          .handler =
              [&door, handle](const HttpRequest& request,
                              const std::shared_ptr<HttpExchange>& exchange) {
                handle(door, request, exchange);
              },
          .is_control = true};
}

template <typename Request, typename Response>
Route ChangeRoute(const FrontDoor& door, const char* what) {
  return OperatorRoute(door, what, Change<Request, Response>);
}

}  // namespace

void AddControlRoutes(const FrontDoor& door, std::vector<Route>& routes) {
  routes.push_back(
      {.verb = "GET",
       .pattern = "/v2/repository[/{repository}]/models[/{model}]",
       .group = MethodGroup::kModelRepository,
       .handler = AtOnce([&door](const HttpRequest& request) { return List(door, request); })});
  routes.push_back(ChangeRoute<SetLabelsRequest, ModelRoutesResponse>(door, "labels"));
  routes.push_back(ChangeRoute<SetTrafficRequest, ModelRoutesResponse>(door, "traffic"));
  routes.push_back(ChangeRoute<RollBackRequest, ModelRoutesResponse>(door, "rollback"));
  routes.push_back(ChangeRoute<SetEpochFloorRequest, SetEpochFloorResponse>(door, "epoch"));
  routes.push_back(OperatorRoute(door, "drain", Drain));
  routes.push_back(OperatorRoute(door, "verify", Verify));
}

}  // namespace omserve::server
