// SPDX-License-Identifier: Apache-2.0
// ModelInfer: from the bytes of a call to those of its answer.
#pragma once

#include <grpcpp/grpcpp.h>

#include <functional>
#include <memory>
#include <vector>

#include "server/core/front_door.h"
#include "server/grpc/answer_watch.h"
#include "server/grpc/call_queue.h"

namespace omserve::server {

// Asks gRPC for the next call: the generated service's RequestModelInfer. `tag` is told on `queue`
// when there is one, or with false when the server is shut down.
using RequestInfer = std::function<void(grpc::ServerContext* context, grpc::ByteBuffer* request,
                                        grpc::ServerAsyncResponseWriter<grpc::ByteBuffer>* writer,
                                        grpc::ServerCompletionQueue* queue, QueueEvent* tag)>;

// The calls that one queue takes. Requests that come together are handed over together, and answers
// that come together are sent together: a thread that is woken for each is what a small request
// costs most.
//
// Thread-safe. Everything of a call happens on the queue's thread, but its answer, which an engine
// brings on its own.
class InferPoller final {
 public:
  // The references outlive it. Start calls it before it takes any.
  InferPoller(const FrontDoor& door, RequestInfer request, CallQueue& queue, AnswerWatch& watch);
  InferPoller(const InferPoller&) = delete;
  InferPoller& operator=(const InferPoller&) = delete;
  ~InferPoller();

  // Asks for calls. Requires that the server was built.
  void Start();
  // For the queue's Start.
  void OnIdle();
  void OnWake();

 private:
  class Call;
  struct State;

  const std::unique_ptr<State> state_;
};

}  // namespace omserve::server
