// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/infer_method.h"

#include <grpcpp/support/async_unary_call.h>

#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/mutex.h"
#include "runtime/base/status_macros.h"
#include "server/core/classification.h"
#include "server/grpc/grpc_status.h"
#include "server/grpc/guard.h"
#include "server/grpc/infer_response.h"
#include "server/grpc/infer_start.h"

namespace omserve::server {
namespace {

// Calls that gRPC may fill before the queue's thread has seen one of them. More that arrive in one
// read wait in gRPC, which costs them a detour.
constexpr int kAwaitedCalls = 64;

}  // namespace

struct InferPoller::State {
  State(const FrontDoor& door_in, RequestInfer request_in, CallQueue& queue_in,
        AnswerWatch& watch_in)
      : door(door_in), request(std::move(request_in)), queue(queue_in), watch(watch_in) {}

  const FrontDoor& door;
  const RequestInfer request;
  CallQueue& queue;
  AnswerWatch& watch;

  bool started = false;  // A request that its engine was not woken for. Of the queue's thread.

  Mutex mu;
  std::vector<Call*> answered ABSL_GUARDED_BY(mu);
  std::vector<Call*> returned
      ABSL_GUARDED_BY(mu);                   // Their models are back, or they waited in vain.
  bool woken ABSL_GUARDED_BY(mu) = false;    // The queue will send what is in `answered`.
  bool sending ABSL_GUARDED_BY(mu) = false;  // It sends what was in there.
};

// Its tags come on the queue's thread: first OnReceived; then OnDone, when the call is over or
// cancelled, and OnFinished, after Finish, in either order. With the last it destroys itself.
// Finish is called exactly once: when the call is refused, else for the engine's answer, which
// comes exactly once, also for cancelled calls.
class InferPoller::Call final {
 public:
  explicit Call(State& poller)
      : poller_(poller),
        received_(this),
        done_(this),
        finished_(this),
        writer_(&context_),
        watched_(context_) {
    context_.AsyncNotifyWhenDone(&done_);
    poller_.request(&context_, &request_, &writer_, poller_.queue.get(), &received_);
  }

  // It waited for its model.
  void BeginAgain() {
    if (is_done_) {
      Begin(MakeStatus(absl::StatusCode::kCancelled, "the client has gone"));
    } else {
      Begin(Submit());
    }
  }

  // For an answer that is there.
  void Send() {
    if (!result_.status.ok()) {
      Refuse(result_.status);
      return;
    }
    ClassifyOutputs(result_);
    const grpc::ByteBuffer response = BuildInferResponse(names_.id, result_);
    result_ = {};
    EndTrace(absl::OkStatus());
    watched_.BeginAnswer(response.Length());
    names_.large.Leave(response.Length());
    writer_.Finish(response, grpc::Status::OK, &finished_);
  }

 private:
  void OnReceived(bool ok) {
    if (!ok) {
      Destroy();  // The server is shut down, and OnDone does not come for what never was a call.
      return;
    }
    std::make_unique<Call>(poller_).release();  // gRPC's until its tags come.
    watched_.Watch(poller_.watch);
    const absl::StatusOr<scheduler::RequestId> id = Submit();
    if (!id.ok() && poller_.door.returning.Await(id.status(), names_.model_name, request_.Length(),
                                                 DeadlineOf(context_, poller_.door.clock),
                                                 [this] { Return(); })) {
      return;
    }
    Begin(id);
  }

  void Begin(const absl::StatusOr<scheduler::RequestId>& id) {
    request_.Clear();
    if (!id.ok()) {
      Refuse(id.status());
      return;
    }
    id_ = *id;
    poller_.started = true;
  }

  // On the thread of those who wait for models.
  void Return() {
    const MutexLock lock(poller_.mu);
    poller_.returned.push_back(this);
    if (!std::exchange(poller_.woken, true)) {
      poller_.queue.Wake();
    }
  }

  void Refuse(const absl::Status& status) {
    EndTrace(status);
    watched_.BeginAnswer(0);
    writer_.FinishWithError(ToGrpcStatus(status), &finished_);
  }

  // Before Finish, after which nothing of this may be left.
  void EndTrace(const absl::Status& status) {
    if (names_.trace != nullptr) {
      AddTraceMetadata(names_, context_);
      poller_.door.tracer.End(std::move(names_.trace), status);
    }
  }

  void OnDone(bool /*ok*/) {
    if (id_ != 0 && context_.IsCancelled()) {
      poller_.door.inference.Cancel(id_);
    }
    is_done_ = true;
    DestroyIfOver();
  }

  void OnFinished(bool ok) {
    is_finished_ = true;
    watched_.EndAnswer(ok);
    names_.large.Reset();
    DestroyIfOver();
  }

  void DestroyIfOver() {
    if (is_done_ && is_finished_) {
      Destroy();
    }
  }
  void Destroy() { const std::unique_ptr<Call> destroyed_here(this); }

  absl::StatusOr<scheduler::RequestId> Submit() {
    ASSIGN_OR_RETURN(const Caller caller, Guard(poller_.door, context_, MethodGroup::kInference));
    return StartInfer(poller_.door, caller, context_, request_, &poller_, &names_,
                      [this](InferResult result) { Answer(std::move(result)); });
  }

  // On the engine's thread.
  void Answer(InferResult result) {
    const bool more_follow = result.more_follow;
    result_ = std::move(result);
    State& poller = poller_;
    bool is_alone = false;
    {
      const MutexLock lock(poller.mu);
      // Not past answers that came before it: models may keep their order. And no texts are made on
      // this thread, which has a device to feed.
      is_alone =
          !more_follow && result_.classes.empty() && poller.answered.empty() && !poller.sending;
      if (!is_alone) {
        poller.answered.push_back(this);
        // Before the lock is given back: then the queue's thread may send the answer, for which it
        // may have been woken by somebody else, and nothing of this is left.
        if (!more_follow && !poller.woken) {
          poller.woken = true;
          poller.queue.Wake();
        }
      }
    }
    if (is_alone) {
      Send();  // Here, and not after a thread was woken for it.
    }
  }

  State& poller_;
  MemberEvent<Call, &Call::OnReceived> received_;
  MemberEvent<Call, &Call::OnDone> done_;
  MemberEvent<Call, &Call::OnFinished> finished_;
  grpc::ServerContext context_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> writer_;
  WatchedGrpcCall watched_;
  grpc::ByteBuffer request_;
  RequestNames names_;
  InferResult result_;           // From Answer to Send.
  scheduler::RequestId id_ = 0;  // 0: not with the engine. The rest is the queue's thread's.
  bool is_done_ = false;
  bool is_finished_ = false;
};

InferPoller::InferPoller(const FrontDoor& door, RequestInfer request, CallQueue& queue,
                         AnswerWatch& watch)
    : state_(std::make_unique<State>(door, std::move(request), queue, watch)) {}

InferPoller::~InferPoller() = default;

void InferPoller::Start() {
  for (int i = 0; i < kAwaitedCalls; ++i) {
    std::make_unique<Call>(*state_).release();  // gRPC's until its tags come.
  }
}

void InferPoller::OnIdle() {
  if (std::exchange(state_->started, false)) {
    state_->door.inference.Wake();
  }
}

void InferPoller::OnWake() {
  std::vector<Call*> answered;
  std::vector<Call*> returned;
  {
    const MutexLock lock(state_->mu);
    answered.swap(state_->answered);
    returned.swap(state_->returned);
    state_->woken = false;
    state_->sending = true;
  }
  for (Call* call : answered) {
    call->Send();
  }
  for (Call* call : returned) {
    call->BeginAgain();
  }
  const MutexLock lock(state_->mu);
  state_->sending = false;
}

}  // namespace omserve::server
