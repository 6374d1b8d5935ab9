// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/infer_reactor.h"

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "runtime/base/errors.h"
#include "server/grpc/grpc_status.h"
#include "server/grpc/infer_request.h"
#include "server/grpc/infer_response.h"

namespace omserve::server {
namespace {

// The client's deadline on our clock.
scheduler::Instant DeadlineOf(const grpc::CallbackServerContext& context, const Clock& clock) {
  const std::chrono::system_clock::time_point deadline = context.deadline();
  // Farther than this is none at all; a client without one sends the largest instant.
  constexpr std::chrono::hours kFar{24 * 365};
  const std::chrono::system_clock::time_point now = std::chrono::system_clock::now();
  if (deadline >= now + kFar) {
    return scheduler::Instant::max();
  }
  return clock.Now() + std::chrono::duration_cast<Clock::duration>(deadline - now);
}

// Three threads meet here, and no lock is needed, because of what each is allowed to do:
//  - the gRPC thread that calls Start sets id_ before it hands the reactor to gRPC, and gRPC calls
//    OnCancel only after that;
//  - Finish is called exactly once: by Start when the call is refused, else by the engine's
//    callback, which runs exactly once, also for cancelled calls. gRPC keeps a Finish that comes
//    before the reactor was handed over until it is;
//  - OnDone comes after Finish and after OnCancel has returned, so it may destroy the reactor.
class InferReactor final : public grpc::ServerUnaryReactor {
 public:
  InferReactor(const FrontEnd& front_end, grpc::ByteBuffer* response)
      : front_end_(front_end), response_(response) {}

  void Start(const grpc::CallbackServerContext& context, const grpc::ByteBuffer& bytes) {
    absl::StatusOr<scheduler::RequestId> id = Submit(context, bytes);
    if (!id.ok()) {
      Finish(ToGrpcStatus(id.status()));
      return;
    }
    id_ = *id;
  }

  void OnCancel() override {
    if (id_ != 0) {
      front_end_.inference.Cancel(id_);
    }
  }

  void OnDone() override { const std::unique_ptr<InferReactor> destroyed_here(this); }

 private:
  absl::StatusOr<scheduler::RequestId> Submit(const grpc::CallbackServerContext& context,
                                              const grpc::ByteBuffer& bytes) {
    const scheduler::Instant received = front_end_.clock.Now();
    if (front_end_.lifecycle.state() == LifecycleState::kStarting) {
      return Unavailable("the server is still loading its models; retry when it is ready");
    }
    ASSIGN_OR_RETURN(WireInferRequest request, ParseInferRequest(bytes));
    ASSIGN_OR_RETURN(ModelHandle model,
                     front_end_.catalog.Find(request.model_name, request.model_version));
    ASSIGN_OR_RETURN(InferCall call, PrepareCall(request, std::move(model)));
    call.received = received;
    call.deadline = DeadlineOf(context, front_end_.clock);
    client_id_ = std::move(request.id);
    return front_end_.inference.Start(call,
                                      [this](InferResult result) { Answer(std::move(result)); });
  }

  // On the engine's thread.
  void Answer(InferResult result) {
    if (result.status.ok()) {
      *response_ = BuildInferResponse(client_id_, result);
    }
    Finish(ToGrpcStatus(result.status));
  }

  const FrontEnd& front_end_;
  grpc::ByteBuffer* const response_;
  std::string client_id_;
  scheduler::RequestId id_ = 0;  // 0: not with the engine.
};

}  // namespace

grpc::ServerUnaryReactor* StartInfer(const FrontEnd& front_end,
                                     grpc::CallbackServerContext* context,
                                     const grpc::ByteBuffer* request, grpc::ByteBuffer* response) {
  auto reactor = std::make_unique<InferReactor>(front_end, response);
  reactor->Start(*context, *request);
  return reactor.release();  // gRPC's until OnDone.
}

}  // namespace omserve::server
