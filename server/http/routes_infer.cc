// SPDX-License-Identifier: Apache-2.0
// An inference over HTTP, from its bytes to the core and back.
#include <charconv>
#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "server/core/classification.h"
#include "server/http/await_model.h"
#include "server/http/infer_json.h"
#include "server/http/load_reply.h"
#include "server/http/routes.h"
#include "server/http/start_together.h"
#include "server/http/traced_reply.h"

namespace omserve::server {
namespace {

constexpr std::string_view kHeaderLength = "Inference-Header-Content-Length";

absl::StatusOr<std::optional<size_t>> HeaderBytes(std::string_view text) {
  if (text.empty()) {
    return std::nullopt;
  }
  size_t bytes = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), bytes);
  if (error != std::errc() || end != text.data() + text.size()) {
    return InvalidArgument("{} is '{}', expected a number of bytes", kHeaderLength,
                           text.substr(0, 32));
  }
  return bytes;
}

// Reads the body into `rest`, which is what the answer has to be built with and in place before
// `done` can run, and starts the inference. Errors: those of Catalog::Find, ParseInferBody and
// Inference::Start; kUnavailable while models load.
absl::StatusOr<scheduler::RequestId> Start(const FrontDoor& door, const HttpRequest& request,
                                           RestCall& rest, HttpExchange& exchange,
                                           std::function<void(InferResult)> done) {
  RETURN_IF_ERROR(door.lifecycle.CheckStarted());
  ASSIGN_OR_RETURN(ModelHandle model,
                   door.catalog.Find(request.parts.model, request.parts.version,
                                     request.Field(kTrafficKey), Catalog::Turn::kNext));
  if (IsDecoupled(*model)) {
    return Unimplemented(
        "HTTP end point doesn't support models with decoupled transaction policy; model '{}' has "
        "that: use generate_stream, or ModelStreamInfer over gRPC",
        model->name);
  }
  ASSIGN_OR_RETURN(const std::optional<size_t> header_bytes,
                   HeaderBytes(request.Field(kHeaderLength)));
  ASSIGN_OR_RETURN(rest, ParseInferBody(request.body(), header_bytes, std::move(model)));
  NoteLoadFormat(request, rest);
  BeginTrace(door, request, rest);
  rest.call.received = request.received;
  rest.call.group = exchange.group();
  return StartTogether(door.inference, rest.call, exchange, std::move(done));
}

// Errors: the result's; BuildInferAnswer's.
absl::StatusOr<HttpReply> ReplyOf(const RestCall& rest, std::shared_ptr<const InferResult> result) {
  RETURN_IF_ERROR(result->status);
  ASSIGN_OR_RETURN(RestAnswer answer, BuildInferAnswer(rest, *result));
  HttpReply reply;
  if (answer.is_binary) {
    reply.content_type = "application/octet-stream";
    reply.AddField(kHeaderLength, std::to_string(answer.json.size()));
  }
  reply.body = std::move(answer.json);
  reply.tensors = std::move(answer.binary);
  reply.owner = std::move(result);
  return reply;
}

// `built`, or its error; the trace ends with what is sent.
void Send(const FrontDoor& door, RestCall& rest, absl::StatusOr<HttpReply> built,
          HttpExchange& exchange) {
  const absl::Status status = built.status();
  HttpReply reply = status.ok() ? *std::move(built) : HttpError(status);
  TellLoad(door, rest, reply);
  AddTraceFields(rest, reply);
  EndTrace(door, rest, status);
  exchange.Answer(std::move(reply));
}

void Infer(const FrontDoor& door, const HttpRequest& request,
           const std::shared_ptr<HttpExchange>& exchange, bool may_wait = true) {
  auto rest = std::make_shared<RestCall>();
  const absl::StatusOr<scheduler::RequestId> id =
      Start(door, request, *rest, *exchange, [&door, exchange, rest](InferResult answered) {
        auto result = std::make_shared<InferResult>(std::move(answered));
        const bool more_follow = result->more_follow;
        size_t size_bytes = 0;
        for (const scheduler::ResponseOutput& output : result->outputs) {
          size_bytes += output.bytes.size();
        }
        if (!result->classes.empty()) {
          constexpr size_t kTextBytes = 16;  // What is written for a byte that is read.
          size_bytes *= kTextBytes;
        }
        exchange->Run(
            size_bytes,
            [&door, exchange, rest, result] {
              ClassifyOutputs(*result);
              Send(door, *rest, ReplyOf(*rest, result), *exchange);
            },
            more_follow);
      });
  if (!id.ok() && may_wait &&
      AwaitModel(door, id.status(), request, exchange, [&door, exchange](const HttpRequest& again) {
        Infer(door, again, exchange, false);
      })) {
    return;
  }
  if (!id.ok()) {
    Send(door, *rest, id.status(), *exchange);
    return;
  }
  exchange->OnGone([&inference = door.inference, id = *id] { inference.Cancel(id); });
}

}  // namespace

void AddInferRoutes(const FrontDoor& door, std::vector<Route>& routes) {
  routes.push_back(
      {.verb = "POST",
       .pattern = "/v2/models/{model}[/versions/{version}]/infer",
       .group = MethodGroup::kInference,
       .handler =
           [&door](const HttpRequest& request, const std::shared_ptr<HttpExchange>& exchange) {
             Infer(door, request, exchange);
           },
       .takes_long_body = true});
}

}  // namespace omserve::server
