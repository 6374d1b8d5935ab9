// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/closed_loop.h"

#include <grpcpp/generic/generic_stub.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/base/errors.h"

namespace omserve::bench {
namespace {

using Now = std::chrono::steady_clock;

double Percentile(const std::vector<float>& sorted, double part) {
  return sorted.empty()
             ? 0
             : static_cast<double>(
                   sorted[static_cast<size_t>(part * static_cast<double>(sorted.size() - 1))]);
}

absl::Status ToAbsl(const grpc::Status& status) {
  return {static_cast<absl::StatusCode>(status.error_code()), status.error_message()};
}

std::shared_ptr<grpc::Channel> Connect(int port) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  return grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(port),
                                   grpc::InsecureChannelCredentials(), arguments);
}

}  // namespace

LoopResult Summary(std::vector<float>& latencies_us, int concurrency,
                   std::chrono::duration<double> took) {
  std::sort(latencies_us.begin(), latencies_us.end());
  return {.calls = latencies_us.size(),
          .all_calls = latencies_us.size() + static_cast<size_t>(concurrency),
          .seconds = took.count(),
          .p50_us = Percentile(latencies_us, 0.5),
          .p99_us = Percentile(latencies_us, 0.99)};
}

struct ClosedLoop::Call {
  std::optional<grpc::ClientContext> context;
  std::unique_ptr<grpc::ClientAsyncResponseReader<grpc::ByteBuffer>> reader;
  grpc::ByteBuffer response;
  grpc::Status status;
  Now::time_point start;
  const grpc::ByteBuffer* request = nullptr;

  void Begin(grpc::GenericStub& stub, const std::string& method, grpc::CompletionQueue& queue) {
    context.emplace();
    start = Now::now();
    reader = stub.PrepareUnaryCall(&*context, method, *request, &queue);
    reader->StartCall();
    reader->Finish(&response, &status, this);
  }
};

ClosedLoop::ClosedLoop(int port) : channel_(Connect(port)) {}

ClosedLoop::~ClosedLoop() {
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

absl::StatusOr<std::string> ClosedLoop::CallOnce(const std::string& method,
                                                 const std::string& bytes) {
  grpc::GenericStub stub(channel_);
  const grpc::Slice slice(bytes);
  const grpc::ByteBuffer request(&slice, 1);
  Call call;
  call.request = &request;
  call.Begin(stub, method, queue_);
  void* tag = nullptr;
  bool ok = false;
  queue_.Next(&tag, &ok);
  if (!call.status.ok()) {
    return ToAbsl(call.status);
  }
  std::vector<grpc::Slice> slices;
  std::string answer;
  if (call.response.Dump(&slices).ok()) {
    for (const grpc::Slice& part : slices) {
      answer.append(static_cast<const char*>(static_cast<const void*>(part.begin())), part.size());
    }
  }
  return answer;
}

absl::StatusOr<LoopResult> ClosedLoop::Run(const std::string& method,
                                           const std::vector<std::string>& messages,
                                           int concurrency,
                                           std::chrono::duration<double> duration) {
  grpc::GenericStub stub(channel_);
  std::vector<grpc::ByteBuffer> requests;
  for (const std::string& message : messages) {
    const grpc::Slice slice(message);
    requests.emplace_back(&slice, 1);
  }
  std::vector<Call> calls(static_cast<size_t>(concurrency));
  std::vector<float> latencies_us;
  latencies_us.reserve(1 << 20);
  absl::Status failure;
  const Now::time_point start = Now::now();
  const Now::time_point end = start + std::chrono::duration_cast<Now::duration>(duration);
  for (size_t i = 0; i < calls.size(); ++i) {
    calls[i].request = &requests[i % requests.size()];
    calls[i].Begin(stub, method, queue_);
  }
  Now::time_point last = start;
  for (int left = concurrency; left > 0;) {
    void* tag = nullptr;
    bool ok = false;
    queue_.Next(&tag, &ok);
    Call& call = *static_cast<Call*>(tag);
    if (!call.status.ok() && failure.ok()) {
      failure = ToAbsl(call.status);
    }
    const Now::time_point now = Now::now();
    if (now < end && failure.ok()) {
      latencies_us.push_back(std::chrono::duration<float, std::micro>(now - call.start).count());
      last = now;
      call.Begin(stub, method, queue_);
    } else {
      --left;
    }
  }
  RETURN_IF_ERROR(failure);
  return Summary(latencies_us, concurrency, last - start);
}

}  // namespace omserve::bench
