// SPDX-License-Identifier: Apache-2.0
// An inference for those who have a text and want one: generate answers with an object,
// generate_stream with an event for each answer. A model here has one answer to a request, so that
// a stream has one event.
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "runtime/base/errors.h"
#include "server/http/generate.h"
#include "server/http/infer_json.h"
#include "server/http/load_reply.h"
#include "server/http/routes.h"
#include "server/http/start_together.h"
#include "server/http/traced_reply.h"

namespace omserve::server {
namespace {

constexpr std::string_view kEvents = "text/event-stream; charset=utf-8";

std::string Event(std::string_view json) { return fmt::format("data: {}\n\n", json); }

// Reads the body into `rest`, which is in place before `done` can run, and starts the inference.
// Errors: those of Catalog::Find, InferBodyOfGenerate, ParseInferBody and Inference::Start;
// kUnavailable while models load.
absl::StatusOr<scheduler::RequestId> Start(const FrontDoor& door, const HttpRequest& request,
                                           RestCall& rest, HttpExchange& exchange,
                                           std::function<void(InferResult)> done) {
  RETURN_IF_ERROR(door.lifecycle.CheckStarted());
  ASSIGN_OR_RETURN(ModelHandle model,
                   door.catalog.Find(request.parts.model, request.parts.version));
  ASSIGN_OR_RETURN(const std::string body, InferBodyOfGenerate(request.body(), *model));
  ASSIGN_OR_RETURN(rest, ParseInferBody(body, std::nullopt, std::move(model)));
  NoteLoadFormat(request, rest);
  BeginTrace(door, request, rest);
  rest.call.received = request.received;
  rest.call.group = exchange.group();
  return StartTogether(door.inference, rest.call, exchange, std::move(done));
}

void Send(const FrontDoor& door, RestCall& rest, const InferResult& result, bool as_events,
          HttpExchange& exchange) {
  absl::StatusOr<std::string> answer =
      result.status.ok() ? GenerateAnswer(rest.id, result) : result.status;
  HttpReply reply;
  if (!answer.ok()) {
    reply = HttpError(answer.status());  // No event was sent, so the status may say it.
  } else if (as_events) {
    reply.content_type = kEvents;
  } else {
    reply.body = *std::move(answer);
  }
  TellLoad(door, rest, reply);
  EndTrace(door, rest, answer.status(), reply);
  if (answer.ok() && as_events) {
    exchange.Begin(std::move(reply));
    exchange.Send(Event(*answer));
    exchange.End();
  } else {
    exchange.Answer(std::move(reply));
  }
}

void Generate(const FrontDoor& door, const HttpRequest& request, bool as_events,
              const std::shared_ptr<HttpExchange>& exchange) {
  auto rest = std::make_shared<RestCall>();
  const absl::StatusOr<scheduler::RequestId> id = Start(
      door, request, *rest, *exchange, [&door, exchange, rest, as_events](InferResult answered) {
        const auto result = std::make_shared<const InferResult>(std::move(answered));
        const bool more_follow = result->more_follow;
        size_t size_bytes = 0;
        for (const scheduler::ResponseOutput& output : result->outputs) {
          size_bytes += output.bytes.size();
        }
        exchange->Run(
            size_bytes,
            [&door, exchange, rest, as_events, result] {
              Send(door, *rest, *result, as_events, *exchange);
            },
            more_follow);
      });
  if (!id.ok()) {
    HttpReply reply = HttpError(id.status());
    TellLoad(door, *rest, reply);
    EndTrace(door, *rest, id.status(), reply);
    exchange->Answer(std::move(reply));
    return;
  }
  exchange->OnGone([&inference = door.inference, id = *id] { inference.Cancel(id); });
}

void AddRoute(const FrontDoor& door, std::string pattern, bool as_events,
              std::vector<Route>& routes) {
  routes.push_back({.verb = "POST",
                    .pattern = std::move(pattern),
                    .group = MethodGroup::kInference,
                    .handler =
                        [&door, as_events](const HttpRequest& request,
                                           const std::shared_ptr<HttpExchange>& exchange) {
                          Generate(door, request, as_events, exchange);
                        },
                    .takes_long_body = true});
}

}  // namespace

void AddGenerateRoutes(const FrontDoor& door, std::vector<Route>& routes) {
  AddRoute(door, "/v2/models/{model}[/versions/{version}]/generate", false, routes);
  AddRoute(door, "/v2/models/{model}[/versions/{version}]/generate_stream", true, routes);
}

}  // namespace omserve::server
