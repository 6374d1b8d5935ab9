// SPDX-License-Identifier: Apache-2.0
// ModelStreamInfer: requests and answers of one client in one call.
//
// Answers come in the order of the requests, whatever order they are ready in; those of decoupled
// models come as they are ready, among the others, and hold up none. What is wrong with a
// request is told in the stream, beside its id, and the stream goes on; unless the client's
// metadata has `triton_grpc_error: true`, where the first error ends it with its status.
//
// Source: Triton's ModelStreamInfer.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>

#include "server/core/front_door.h"
#include "server/core/lifecycle.h"
#include "server/grpc/answer_watch.h"
#include "server/grpc/call_queue.h"

namespace omserve::server {

// Asks gRPC for the next stream: the generated service's RequestModelStreamInfer.
using RequestStream =
    std::function<void(grpc::ServerContext* context,
                       grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>* stream,
                       grpc::ServerCompletionQueue* queue, QueueEvent* tag)>;

// The streams that one queue takes. A stream reads on while fewer than kMostInStream of its
// requests are without an answer that was sent: a client that sends without reading is held up by
// gRPC's flow control. What it was answered stays in pinned memory until it reads, or the
// stream is given up.
//
// Streams end by themselves when the daemon stops, with UNAVAILABLE, once their answers were sent.
//
// Thread-safe. Everything of a stream happens on the queue's thread, but its answers, which engines
// bring on theirs.
class StreamPoller final : public LifecycleListener {
 public:
  static constexpr size_t kMostInStream = 256;

  // The references outlive it. Start calls it before it takes any.
  StreamPoller(const FrontDoor& door, RequestStream request, CallQueue& queue, AnswerWatch& watch);
  StreamPoller(const StreamPoller&) = delete;
  StreamPoller& operator=(const StreamPoller&) = delete;
  ~StreamPoller() override;

  // Asks for calls. Requires that the server was built.
  void Start();
  // For the queue's Start.
  void OnIdle();
  void OnWake();
  void OnLifecycle(LifecycleState state) override;

 private:
  class Stream;
  struct State;

  const std::unique_ptr<State> state_;
};

}  // namespace omserve::server
