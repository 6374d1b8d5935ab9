// SPDX-License-Identifier: Apache-2.0
// An inference for those who have a text and want one: generate answers with an object,
// generate_stream with an event for each answer, of which a decoupled model may have none or many.
#include <atomic>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/mutex.h"
#include "server/http/await_model.h"
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
                   door.catalog.Find(request.parts.model, request.parts.version,
                                     request.Field(kTrafficKey), Catalog::Turn::kNext));
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

  void Start(const HttpRequest& request, bool may_wait = true) {
    const absl::StatusOr<scheduler::RequestId> id = StartGenerate(
        door_, request, rest_, *exchange_,
        [self = shared_from_this()](InferResult result) { self->Take(std::move(result)); });
    if (!id.ok() && may_wait &&
        AwaitModel(door_, id.status(), request, exchange_,
                   [self = shared_from_this()](const HttpRequest& again) {
                     self->Start(again, /*may_wait=*/false);
                   })) {
      return;
    }
    if (!id.ok()) {
      Tell({.status = id.status(), .is_final = true});
      return;
    }
    id_ = *id;
    exchange_->OnGone([&inference = door_.inference, id = *id] { inference.Cancel(id); });
  }

 private:
  // An answer as the client has it.
  struct Text {
    absl::Status status;
    std::string json;  // Empty: no answer, only an end or a failure.
    bool is_final = false;
  };

  // On a device's thread.
  void Take(InferResult result) {
    const bool more_follow = result.more_follow;
    size_t size_bytes = 0;
    for (const scheduler::ResponseOutput& output : result.outputs) {
      size_bytes += output.bytes.size();
    }
    {
      const MutexLock lock(mu_);
      results_.push_back(std::move(result));
    }
    exchange_->Run(
        size_bytes, [self = shared_from_this()] { self->WriteAll(); }, more_follow);
  }

  // By one thread at a time, whatever thread is to write each. What is written is sent by the
  // sockets' thread alone: so answers keep their order.
  void WriteAll() {
    {
      const MutexLock lock(mu_);
      if (is_writing_) {
        return;
      }
      is_writing_ = true;
    }
    while (std::optional<InferResult> next = TakeNext()) {
      Text text = Write(*next);
      const MutexLock lock(mu_);
      texts_.push_back(std::move(text));
    }
    if (exchange_->CanGather()) {
      TellAll();
    } else {
      exchange_->Run(0, [self = shared_from_this()] { self->TellAll(); });
    }
  }

  // nullopt: there is none, and nobody writes.
  std::optional<InferResult> TakeNext() {
    const MutexLock lock(mu_);
    if (results_.empty()) {
      is_writing_ = false;
      return std::nullopt;
    }
    InferResult next = std::move(results_.front());
    results_.pop_front();
    return next;
  }

  Text Write(const InferResult& result) const {
    Text text{.status = result.status, .is_final = result.is_final};
    if (text.status.ok() && !result.outputs.empty()) {
      absl::StatusOr<std::string> answer = GenerateAnswer(rest_.id, result);
      text.status = answer.status();
      text.json = answer.ok() ? *std::move(answer) : "";
    }
    return text;
  }

  void TellAll() {
    std::deque<Text> texts;
    {
      const MutexLock lock(mu_);
      texts.swap(texts_);
    }
    for (Text& text : texts) {
      Tell(std::move(text));
    }
  }

  void Tell(Text text) {
    if (is_answered_) {
      EndTraceAt(text, failure_);
      return;
    }
    if (!text.json.empty()) {
      ++count_;
      if (as_events_) {
        SendEvent(text.json);
      } else {
        only_ = std::move(text.json);
      }
    }
    if (text.status.ok() && text.is_final && !as_events_ && count_ != 1) {
      text.status = Internal(
          "generate expects model to produce exactly 1 response, use generate stream for model "
          "that generates various number of responses; there were {}",
          count_);
    }
    if (!text.status.ok()) {
      Fail(text);
    } else if (text.is_final) {
      Finish(text);
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

  // While the request runs, its trace grows.
  void EndTraceAt(const Text& text, const absl::Status& status) {
    if (text.is_final) {
      EndTrace(door_, rest_, status);
    }
  }

  void Finish(const Text& text) {
    is_answered_ = true;
    if (as_events_) {
      BeginEvents();
      EndTraceAt(text, absl::OkStatus());
      exchange_->End();
      return;
    }
    HttpReply reply;
    reply.body = std::move(only_);
    AddHeadFields(reply);
    EndTraceAt(text, absl::OkStatus());
    exchange_->Answer(std::move(reply));
  }

  // Also before the end, where an answer cannot be said in JSON: what remains is of no use then.
  void Fail(const Text& text) {
    is_answered_ = true;
    failure_ = text.status;
    if (!text.is_final && id_ != 0) {
      door_.inference.Cancel(id_);
    }
    HttpReply reply = HttpError(text.status);
    if (!has_begun_) {
      AddHeadFields(reply);
    }
    EndTraceAt(text, text.status);
    if (has_begun_) {  // The status was sent.
      exchange_->Send(Event(reply.body));
      exchange_->End();
    } else {
      exchange_->Answer(std::move(reply));
    }
  }

  const FrontDoor& door_;
  const bool as_events_;
  const std::shared_ptr<HttpExchange> exchange_;
  std::atomic<scheduler::RequestId> id_ = 0;  // 0: not known yet, or none.
  RestCall rest_;  // Of who starts, and then of the sockets' thread, but for its id.

  Mutex mu_;
  std::deque<InferResult> results_ ABSL_GUARDED_BY(mu_);  // That were not written.
  std::deque<Text> texts_ ABSL_GUARDED_BY(mu_);           // That were not sent.
  bool is_writing_ ABSL_GUARDED_BY(mu_) = false;

  // Of who starts, and then of the sockets' thread.
  size_t count_ = 0;          // Answers.
  std::string only_;          // Without events: the last of them.
  bool has_begun_ = false;    // To send events.
  bool is_answered_ = false;  // To the end.
  absl::Status failure_;      // That it was answered with.
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
