// SPDX-License-Identifier: Apache-2.0
// An inference for those who have a text and want one: generate answers with an object,
// generate_stream with an event for each answer, of which a decoupled model may have none or many.
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/mutex.h"
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
absl::StatusOr<scheduler::RequestId> StartGenerate(const FrontDoor& door,
                                                   const HttpRequest& request, RestCall& rest,
                                                   HttpExchange& exchange,
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

// One request, from its start to its last answer.
class Generation final : public std::enable_shared_from_this<Generation> {
 public:
  Generation(const FrontDoor& door, bool as_events, std::shared_ptr<HttpExchange> exchange)
      : door_(door), as_events_(as_events), exchange_(std::move(exchange)) {}

  void Start(const HttpRequest& request) {
    const absl::StatusOr<scheduler::RequestId> id = StartGenerate(
        door_, request, rest_, *exchange_,
        [self = shared_from_this()](InferResult result) { self->Take(std::move(result)); });
    if (!id.ok()) {
      Fail(id.status());
      return;
    }
    exchange_->OnGone([&inference = door_.inference, id = *id] { inference.Cancel(id); });
  }

 private:
  // On a device's thread.
  void Take(InferResult result) {
    const bool more_follow = result.more_follow;
    size_t size_bytes = 0;
    for (const scheduler::ResponseOutput& output : result.outputs) {
      size_bytes += output.bytes.size();
    }
    {
      const MutexLock lock(mu_);
      waiting_.push_back(std::move(result));
    }
    exchange_->Run(
        size_bytes, [self = shared_from_this()] { self->SendAll(); }, more_follow);
  }

  // By one thread at a time: answers keep their order, whatever thread is to send each.
  void SendAll() {
    {
      const MutexLock lock(mu_);
      if (is_sending_) {
        return;
      }
      is_sending_ = true;
    }
    while (std::optional<InferResult> next = TakeNext()) {
      Send(*next);
    }
  }

  // nullopt: there is none, and nobody sends.
  std::optional<InferResult> TakeNext() {
    const MutexLock lock(mu_);
    if (waiting_.empty()) {
      is_sending_ = false;
      return std::nullopt;
    }
    InferResult next = std::move(waiting_.front());
    waiting_.pop_front();
    return next;
  }

  void Send(const InferResult& result) {
    if (is_over_) {
      return;
    }
    absl::Status status = result.status;
    const bool is_answer = status.ok() && !result.outputs.empty();
    if (is_answer) {
      absl::StatusOr<std::string> answer = GenerateAnswer(rest_.id, result);
      status = answer.status();
      ++count_;
      if (answer.ok() && as_events_) {
        SendEvent(*answer);
      } else if (answer.ok()) {
        only_ = *std::move(answer);
      }
    }
    if (!status.ok()) {
      Fail(status);
    } else if (result.is_final) {
      Finish();
    }
  }

  void SendEvent(std::string_view json) {
    BeginEvents();
    exchange_->Send(Event(json));
  }

  void BeginEvents() {
    if (has_begun_) {
      return;
    }
    has_begun_ = true;
    HttpReply head{.content_type = kEvents};
    AddHeadFields(head);
    exchange_->Begin(std::move(head));
  }

  // What the head tells beside the answer.
  void AddHeadFields(HttpReply& head) const {
    TellLoad(door_, rest_, head);
    AddTraceFields(rest_, head);
  }

  void Finish() {
    if (!as_events_ && count_ != 1) {
      Fail(Internal(
          "generate expects model to produce exactly 1 response, use generate stream for model "
          "that generates various number of responses; there were {}",
          count_));
      return;
    }
    is_over_ = true;
    if (as_events_) {
      BeginEvents();
      EndTrace(door_, rest_, absl::OkStatus());
      exchange_->End();
      return;
    }
    HttpReply reply;
    reply.body = std::move(only_);
    AddHeadFields(reply);
    EndTrace(door_, rest_, absl::OkStatus());
    exchange_->Answer(std::move(reply));
  }

  void Fail(const absl::Status& status) {
    is_over_ = true;
    HttpReply reply = HttpError(status);
    if (has_begun_) {  // The status was sent.
      exchange_->Send(Event(reply.body));
    } else {
      AddHeadFields(reply);
    }
    EndTrace(door_, rest_, status);
    if (has_begun_) {
      exchange_->End();
    } else {
      exchange_->Answer(std::move(reply));
    }
  }

  const FrontDoor& door_;
  const bool as_events_;
  const std::shared_ptr<HttpExchange> exchange_;

  Mutex mu_;
  std::deque<InferResult> waiting_ ABSL_GUARDED_BY(mu_);
  bool is_sending_ ABSL_GUARDED_BY(mu_) = false;

  // Of who starts, and then of who sends.
  RestCall rest_;
  size_t count_ = 0;        // Answers.
  std::string only_;        // Without events: the last of them.
  bool has_begun_ = false;  // To send events.
  bool is_over_ = false;
};

void AddRoute(const FrontDoor& door, std::string pattern, bool as_events,
              std::vector<Route>& routes) {
  routes.push_back({.verb = "POST",
                    .pattern = std::move(pattern),
                    .group = MethodGroup::kInference,
                    .handler =
                        [&door, as_events](const HttpRequest& request,
                                           const std::shared_ptr<HttpExchange>& exchange) {
                          std::make_shared<Generation>(door, as_events, exchange)->Start(request);
                        },
                    .takes_long_body = true});
}

}  // namespace

void AddGenerateRoutes(const FrontDoor& door, std::vector<Route>& routes) {
  AddRoute(door, "/v2/models/{model}[/versions/{version}]/generate", false, routes);
  AddRoute(door, "/v2/models/{model}[/versions/{version}]/generate_stream", true, routes);
}

}  // namespace omserve::server
