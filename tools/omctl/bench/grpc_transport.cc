// SPDX-License-Identifier: Apache-2.0
// Requests over gRPC: made into bytes once, sent by a generic stub, answers not parsed. A
// completion queue, a connection and a thread for each share of the calls.
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <chrono>
#include <optional>
#include <thread>
#include <utility>

#include "proto/inference/grpc_service.pb.h"
#include "runtime/base/check.h"
#include "runtime/base/errors.h"
#include "runtime/base/mutex.h"
#include "runtime/base/thread.h"
#include "tools/omctl/bench/thread_cpu.h"
#include "tools/omctl/bench/transport.h"

namespace omserve::bench {
namespace {

constexpr char kMethod[] = "/inference.GRPCInferenceService/ModelInfer";

grpc::ByteBuffer Serialised(const Question& question, const std::vector<client::Tensor>& inputs) {
  inference::ModelInferRequest request;
  request.set_model_name(question.model);
  request.set_model_version(question.version);
  for (const client::Tensor& input : inputs) {
    auto& tensor = *request.add_inputs();
    tensor.set_name(input.name);
    tensor.set_datatype(std::string(DataTypeName(input.type)));
    tensor.mutable_shape()->Add(input.dims.begin(), input.dims.end());
    request.add_raw_input_contents(input.raw);
  }
  for (const std::string& output : question.outputs) {
    request.add_outputs()->set_name(output);
  }
  auto& parameters = *request.mutable_parameters();
  if (question.timeout > Clock::duration::zero()) {
    parameters["timeout"].set_int64_param(
        std::chrono::duration_cast<std::chrono::microseconds>(question.timeout).count());
  }
  if (question.priority > 0) {
    parameters["priority"].set_uint64_param(question.priority);
  }
  const grpc::Slice slice(request.SerializeAsString());
  return {&slice, 1};
}

class GrpcTransport final : public Transport {
 public:
  GrpcTransport(const Question& question, const TransportOptions& options, OnDone on_done)
      : deadline_(options.deadline), token_(options.connect.token), on_done_(std::move(on_done)) {
    for (const std::vector<client::Tensor>& inputs : question.payloads) {
      requests_.push_back(Serialised(question, inputs));
    }
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(-1);
    arguments.SetMaxSendMessageSize(-1);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // A connection for each thread.
    for (int i = 0; i < options.threads; ++i) {
      auto lane = std::make_unique<Lane>();
      lane->stub.emplace(client::MakeChannel(options.connect, arguments));
      lanes_.push_back(std::move(lane));
    }
    for (int i = 0; i < options.calls; ++i) {
      calls_.push_back(std::make_unique<Call>());
      calls_.back()->index = static_cast<size_t>(i);
    }
    for (const std::unique_ptr<Lane>& lane : lanes_) {
      lane->thread = StartThread("bench-grpc", [this, &queue = lane->queue] { Receive(queue); });
    }
  }

  ~GrpcTransport() override {
    for (const std::unique_ptr<Lane>& lane : lanes_) {
      lane->queue.Shutdown();
    }
    lanes_.clear();  // Joins.
  }

  void Send(size_t index) override {
    Call& call = *calls_[index];
    Lane& lane = *lanes_[index % lanes_.size()];
    const grpc::ByteBuffer& request =
        requests_[next_request_.fetch_add(1, std::memory_order_relaxed) % requests_.size()];
    {
      const MutexLock lock(call.mu);
      call.context.emplace();
      call.context->set_deadline(std::chrono::system_clock::now() + deadline_);
      client::Authorize(token_, *call.context);
      if (cancelled_.load(std::memory_order_relaxed)) {
        call.context->TryCancel();
      }
    }
    call.reader = lane.stub->PrepareUnaryCall(&*call.context, kMethod, request, &lane.queue);
    call.reader->StartCall();
    call.reader->Finish(&call.response, &call.status, &call);
  }

  void CancelAll() override {
    cancelled_.store(true, std::memory_order_relaxed);
    for (const std::unique_ptr<Call>& call : calls_) {
      const MutexLock lock(call->mu);
      if (call->context.has_value()) {
        call->context->TryCancel();
      }
    }
  }

  std::vector<Clock::duration> ThreadCpu() const override {
    std::vector<Clock::duration> times;
    for (const std::unique_ptr<Lane>& lane : lanes_) {
      times.push_back(ThreadCpuTime(lane->thread));
    }
    return times;
  }

 private:
  struct Call {
    size_t index = 0;
    Mutex mu;  // Of the context's life, against CancelAll.
    std::optional<grpc::ClientContext> context;
    std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader;
    grpc::ByteBuffer response;
    grpc::Status status;
  };
  struct Lane {
    grpc::CompletionQueue queue;
    std::optional<grpc::GenericStub> stub;
    std::jthread thread;  // Last: joined before the rest goes.
  };

  void Receive(grpc::CompletionQueue& queue) {
    void* tag = nullptr;
    bool ok = false;
    while (queue.Next(&tag, &ok)) {
      Call& call = *static_cast<Call*>(tag);
      call.response.Clear();
      absl::Status status =
          call.status.ok() ? absl::OkStatus()
                           : MakeStatus(static_cast<absl::StatusCode>(call.status.error_code()),
                                        call.status.error_message());
      call.status = grpc::Status();
      {
        const MutexLock lock(call.mu);
        call.reader.reset();
        call.context.reset();
      }
      on_done_(call.index, std::move(status));
    }
  }

  // Constant after construction.
  const Clock::duration deadline_;
  const std::string token_;
  const OnDone on_done_;
  std::vector<grpc::ByteBuffer> requests_;
  std::vector<std::unique_ptr<Call>> calls_;

  // Synchronise themselves.
  std::atomic<size_t> next_request_{0};  // A counter of its own: no order is needed.
  std::atomic<bool> cancelled_{
      false};  // Read under a call's lock after it is set: no call escapes.

  std::vector<std::unique_ptr<Lane>> lanes_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Transport>> MakeGrpcTransport(const Question& question,
                                                             const TransportOptions& options,
                                                             Transport::OnDone on_done) {
  OMSERVE_CHECK(!question.payloads.empty(), "a benchmark has inputs");
  return std::make_unique<GrpcTransport>(question, options, std::move(on_done));
}

}  // namespace omserve::bench
