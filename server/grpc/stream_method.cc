// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/stream_method.h"

#include <grpcpp/support/async_stream.h>

#include <atomic>
#include <deque>
#include <optional>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "runtime/base/mutex.h"
#include "scheduler/recycling_map.h"
#include "server/core/classification.h"
#include "server/grpc/grpc_status.h"
#include "server/grpc/guard.h"
#include "server/grpc/infer_response.h"
#include "server/grpc/infer_start.h"

namespace omserve::server {
namespace {

// Streams that gRPC may open before the queue's thread has seen one of them.
constexpr int kAwaitedStreams = 8;

bool EndsWithFirstError(const grpc::ServerContext& context) {
  const auto [first, last] = context.client_metadata().equal_range("triton_grpc_error");
  return first != last && first->second == "true";
}

}  // namespace

struct StreamPoller::State {
  State(const FrontDoor& door_in, RequestStream request_in, CallQueue& queue_in,
        AnswerWatch& watch_in)
      : door(door_in), request(std::move(request_in)), queue(queue_in), watch(watch_in) {}

  struct Answered {
    Stream* stream;
    size_t number;  // Of the request in its stream.
    InferResult result;
    // Instead of a result: it waited for its model, and is to begin again.
    std::optional<grpc::ByteBuffer> again = std::nullopt;
  };

  const FrontDoor& door;
  const RequestStream request;
  CallQueue& queue;
  AnswerWatch& watch;
  std::atomic<bool> stopping = false;

  // Of the queue's thread.
  bool started = false;  // A request that its engine was not woken for.
  std::unordered_set<Stream*> open;

  Mutex mu;
  std::vector<Answered> answered ABSL_GUARDED_BY(mu);
};

// Its tags come on the queue's thread: first OnReceived; then OnDone, once, when the call is over
// or cancelled, and one for each read, write and finish that was begun. When none is awaited and no
// engine has a request of it any more it destroys itself.
class StreamPoller::Stream final {
 public:
  explicit Stream(State& poller)
      : poller_(poller),
        received_(this),
        done_(this),
        read_(this),
        written_(this),
        finished_(this),
        stream_(&context_),
        watched_(context_) {
    context_.AsyncNotifyWhenDone(&done_);
    poller_.request(&context_, &stream_, poller_.queue.get(), &received_);
  }

  // True for the first one since Proceed, which then has to be called.
  bool Take(size_t number, InferResult result) {
    Request& request = requests_.at(number);
    if (result.is_final) {
      --running_;
      request.id = 0;
      request.names.large.Leave(AnswerBytes(result));  // Perhaps behind others.
      if (is_over_ || is_ended_) {
        EndTrace(request, result.status);  // It is not sent.
      }
    }
    if (result.is_final || !result.outputs.empty()) {
      if (request.names.is_decoupled) {
        ready_.push_back(number);
      }
      request.results.push_back(std::move(result));
    }
    return !std::exchange(is_to_proceed_, true);
  }

  // A request that waited for its model. As Take.
  bool BeginAgain(size_t number, const grpc::ByteBuffer& message) {
    if (is_over_ || is_ended_ || !refusal_.ok()) {
      return Begun(number, MakeStatus(absl::StatusCode::kCancelled, "the client has gone"));
    }
    const absl::StatusOr<scheduler::RequestId> id = Submit(number, message);
    const bool is_first = Begun(number, id);
    if (requests_.at(number).names.is_decoupled && std::erase(in_turn_, number) > 0) {
      // Only now it is known; what stood behind it may be ready.
      return !std::exchange(is_to_proceed_, true) || is_first;
    }
    return is_first;
  }

  // Begins what can be begun.
  void Proceed() {
    is_to_proceed_ = false;
    if (is_over_) {
      DestroyIfUnused();
      return;
    }
    if (is_ended_ || is_writing_ || is_broken_) {
      return;
    }
    if (!refusal_.ok()) {
      Finish(refusal_);
      return;
    }
    while (const std::optional<size_t> next = NextToSend()) {
      if (Send(*next)) {
        return;
      }
    }
    if (requests_.size() == 0 && (no_more_ || poller_.stopping)) {
      Finish(no_more_ ? absl::OkStatus() : Unavailable("the server is shutting down"));
      return;
    }
    ReadOn();
  }

 private:
  struct Request {
    scheduler::RequestId id = 0;  // 0: not with an engine.
    RequestNames names{.protocol = "grpc-stream", .takes_many = true};
    std::vector<InferResult>
        results;  // Of them the first `taken` were sent. The final one ends it.
    size_t taken = 0;

    bool has_result() const { return taken < results.size(); }
    InferResult TakeResult() {
      InferResult result = std::move(results[taken++]);
      if (taken == results.size()) {
        results.clear();
        taken = 0;
      }
      return result;
    }
    void Clear() { *this = Request(); }
  };

  void OnReceived(bool ok) {
    if (!ok) {
      Destroy();  // The server is shut down, and OnDone does not come for what never was a call.
      return;
    }
    std::make_unique<Stream>(poller_).release();  // gRPC's until its tags come.
    poller_.open.insert(this);
    watched_.Watch(poller_.watch);
    ends_with_first_error_ = EndsWithFirstError(context_);
    absl::StatusOr<Caller> caller = Guard(poller_.door, context_, MethodGroup::kInference);
    if (caller.ok()) {
      caller_ = *std::move(caller);
      Proceed();
    } else {
      Finish(caller.status());
    }
  }

  // The client is gone, or the stream was finished.
  void OnDone(bool /*ok*/) {
    is_over_ = true;
    CancelAll();
    for (auto& [number, request] : requests_) {
      if (request.has_result() && request.results.back().is_final) {
        EndTrace(request, request.results.back().status);
      }
    }
    DestroyIfUnused();
  }

  // Headers are the stream's, and an answer has none to say its own in. Once for a request.
  void EndTrace(Request& request, const absl::Status& status) {
    poller_.door.tracer.End(std::exchange(request.names.trace, nullptr), status);
  }

  void OnRead(bool ok) {
    is_reading_ = false;
    if (!ok) {
      no_more_ = true;
    } else if (!is_over_ && !is_ended_ && refusal_.ok()) {
      Begin();
    }
    message_.Clear();
    Proceed();
  }

  void OnWritten(bool ok) {
    is_writing_ = false;
    watched_.EndAnswer(ok);
    leaving_.Reset();
    is_broken_ = is_broken_ || !ok;  // OnDone follows.
    Proceed();
  }

  void OnFinished(bool ok) {
    is_finishing_ = false;
    watched_.EndAnswer(ok);
    DestroyIfUnused();
  }

  void ReadOn() {
    if (!is_reading_ && !no_more_ && !is_broken_ && requests_.size() < kMostInStream) {
      is_reading_ = poller_.queue.WhileOpen([this] { stream_.Read(&message_, &read_); });
    }
  }

  void Begin() {
    // What the stream was let in by may have been taken back.
    absl::StatusOr<Caller> caller = Guard(poller_.door, context_, MethodGroup::kInference);
    if (!caller.ok()) {
      CancelAll();
      refusal_ = caller.status();
      return;
    }
    caller_ = *std::move(caller);
    const size_t number = next_number_++;
    Request& request = requests_.Add(number);
    ++running_;
    const absl::StatusOr<scheduler::RequestId> id = Submit(number, message_);
    if (!request.names.is_decoupled) {
      in_turn_.push_back(number);
    }
    if (!id.ok() && poller_.door.returning.Await(
                        id.status(), request.names.model_name, message_.Length(),
                        DeadlineOf(context_, poller_.door.clock),
                        [this, number, message = message_] { Return(number, message); })) {
      return;
    }
    Begun(number, id);
  }

  absl::StatusOr<scheduler::RequestId> Submit(size_t number, const grpc::ByteBuffer& message) {
    return StartInfer(poller_.door, caller_, context_, message, &poller_,
                      &requests_.at(number).names,
                      [this, number](InferResult result) { Answer(number, std::move(result)); });
  }

  // As Take.
  bool Begun(size_t number, const absl::StatusOr<scheduler::RequestId>& id) {
    if (id.ok()) {
      requests_.at(number).id = *id;
      poller_.started = true;
      return false;
    }
    InferResult refused;
    refused.status = id.status();
    return Take(number, std::move(refused));
  }

  // On the thread of those who wait for models.
  void Return(size_t number, const grpc::ByteBuffer& message) {
    State& poller = poller_;
    const MutexLock lock(poller.mu);
    poller.answered.push_back({.stream = this, .number = number, .again = message});
    poller.queue.Wake();
  }

  // On an engine's thread.
  void Answer(size_t number, InferResult result) {
    const bool more_follow = result.more_follow;
    State& poller = poller_;
    const MutexLock lock(poller.mu);
    poller.answered.push_back({this, number, std::move(result)});
    // Before the lock is given back: then the queue's thread may take the answer, for which it may
    // have been woken by somebody else, and nothing of this is left.
    if (!more_follow) {
      poller.queue.Wake();
    }
  }

  // Answers leave in the order of their requests, but for those of decoupled models, which leave as
  // they come and hold up no others. nullopt: there is none.
  std::optional<size_t> NextToSend() {
    const bool has_turn = !in_turn_.empty() && requests_.at(in_turn_.front()).has_result();
    if (!has_turn && ready_.empty()) {
      return std::nullopt;
    }
    // By turns, where there are both: neither kind keeps the other waiting.
    const bool takes_turn = has_turn && (ready_.empty() || !was_turn_);
    was_turn_ = takes_turn;
    std::deque<size_t>& from = takes_turn ? in_turn_ : ready_;
    const size_t number = from.front();
    from.pop_front();
    return number;
  }

  // Its next result. False: there was nothing to send.
  bool Send(size_t number) {
    Request& request = requests_.at(number);
    InferResult result = request.TakeResult();
    const absl::Status& status = result.status;
    if (result.is_final) {
      EndTrace(request, status);
    }
    if (!status.ok() && ends_with_first_error_) {
      CancelAll();
      Finish(status);
      return true;
    }
    const bool only_ends = status.ok() && result.outputs.empty();
    const bool is_silent = only_ends && !request.names.wants_end;
    grpc::ByteBuffer message;
    if (!status.ok()) {
      message = BuildStreamError(request.names, MessageOf(status));
    } else if (!is_silent) {
      ClassifyOutputs(result);
      message = BuildStreamResponse(request.names.id, result);
    }
    if (result.is_final) {
      leaving_ = std::move(request.names.large);
      requests_.Erase(requests_.find(number));
    }
    if (is_silent) {
      leaving_.Reset();
      return false;
    }
    // Without a buffer hint, whatever else is ready: gRPC may then not tell the end of this write
    // before it writes something else, and nothing else is written before that end.
    watched_.BeginAnswer(message.Length());
    is_writing_ = poller_.queue.WhileOpen([&] { stream_.Write(message, &written_); });
    ReadOn();
    return true;
  }

  void Finish(const absl::Status& status) {
    is_ended_ = true;
    watched_.BeginAnswer(0);
    is_finishing_ =
        poller_.queue.WhileOpen([&] { stream_.Finish(ToGrpcStatus(status), &finished_); });
  }

  void CancelAll() {
    for (const auto& [number, request] : requests_) {
      if (request.id != 0) {
        poller_.door.inference.Cancel(request.id);
      }
    }
  }

  void DestroyIfUnused() {
    if (is_over_ && running_ == 0 && !is_reading_ && !is_writing_ && !is_finishing_) {
      poller_.open.erase(this);
      Destroy();
    }
  }
  void Destroy() { const std::unique_ptr<Stream> destroyed_here(this); }

  State& poller_;
  MemberEvent<Stream, &Stream::OnReceived> received_;
  MemberEvent<Stream, &Stream::OnDone> done_;
  MemberEvent<Stream, &Stream::OnRead> read_;
  MemberEvent<Stream, &Stream::OnWritten> written_;
  MemberEvent<Stream, &Stream::OnFinished> finished_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_;
  WatchedGrpcCall watched_;
  LargeAnswers::Ticket leaving_;  // Of the last answer of a request, while it is written.
  Caller caller_;
  absl::Status refusal_;      // What the stream ends with once nothing is being written.
  grpc::ByteBuffer message_;  // gRPC's while is_reading_.
  // By number, those whose answers were not all sent.
  scheduler::RecyclingMap<size_t, Request> requests_;
  size_t next_number_ = 0;
  std::deque<size_t> in_turn_;  // Of them, those that are answered in their order.
  std::deque<size_t> ready_;    // Of the others, once for each result.
  bool was_turn_ = false;       // The last one sent was of in_turn_.
  size_t running_ = 0;          // Of them and of those that nobody waits for: with an engine.
  bool ends_with_first_error_ = false;
  bool no_more_ = false;  // The client has closed its side.
  bool is_to_proceed_ = false;
  bool is_reading_ = false;
  bool is_writing_ = false;
  bool is_ended_ = false;      // By us: nothing is begun any more.
  bool is_finishing_ = false;  // And gRPC has not told of it.
  bool is_broken_ = false;
  bool is_over_ = false;
};

StreamPoller::StreamPoller(const FrontDoor& door, RequestStream request, CallQueue& queue,
                           AnswerWatch& watch)
    : state_(std::make_unique<State>(door, std::move(request), queue, watch)) {}

StreamPoller::~StreamPoller() = default;

void StreamPoller::Start() {
  for (int i = 0; i < kAwaitedStreams; ++i) {
    std::make_unique<Stream>(*state_).release();  // gRPC's until its tags come.
  }
}

void StreamPoller::OnIdle() {
  if (std::exchange(state_->started, false)) {
    state_->door.inference.Wake();
  }
}

void StreamPoller::OnWake() {
  std::vector<State::Answered> answered;
  {
    const MutexLock lock(state_->mu);
    answered.swap(state_->answered);
  }
  // All are taken before any is sent, so that what is ready together is sent together.
  std::vector<Stream*> streams;
  for (State::Answered& answer : answered) {
    const bool is_first = answer.again.has_value()
                              ? answer.stream->BeginAgain(answer.number, *answer.again)
                              : answer.stream->Take(answer.number, std::move(answer.result));
    if (is_first) {
      streams.push_back(answer.stream);
    }
  }
  if (state_->stopping) {
    streams.assign(state_->open.begin(), state_->open.end());
  }
  for (Stream* stream : streams) {
    stream->Proceed();
  }
}

void StreamPoller::OnLifecycle(LifecycleState state) {
  // It may be told again, when the queue is gone.
  if (state == LifecycleState::kStopped && !state_->stopping.exchange(true)) {
    state_->queue.Wake();
  }
}

}  // namespace omserve::server
