// SPDX-License-Identifier: Apache-2.0
// The floor of every front-end figure: a gRPC server with omserved's channel arguments that answers
// each call of any method with the bytes that came, and looks at none of them.
//
//   front_echo --ready-file FILE
#include <grpcpp/generic/async_generic_service.h>
#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <array>
#include <boost/json.hpp>
#include <memory>
#include <string_view>

#include "absl/synchronization/mutex.h"
#include "runtime/base/file.h"
#include "server/grpc/channel_arguments.h"

namespace omserve::bench {
namespace {

// One call from its request to its end. The steps follow each other on one queue, polled by one
// thread: the least that gRPC does.
class EchoCall final {
 public:
  EchoCall(grpc::AsyncGenericService& service, grpc::ServerCompletionQueue& queue)
      : service_(service), queue_(queue), stream_(&context_) {
    service_.RequestCall(&context_, &stream_, &queue_, &queue_, this);
  }

  void Advance(bool ok) {
    switch (next_) {
      case Step::kRead:
        if (!ok) {
          break;  // The queue is shut down.
        }
        std::make_unique<EchoCall>(service_, queue_).release();  // Owned by its tags.
        next_ = Step::kAnswer;
        stream_.Read(&bytes_, this);
        return;
      case Step::kAnswer:
        next_ = Step::kEnd;
        if (ok) {
          stream_.WriteAndFinish(bytes_, grpc::WriteOptions(), grpc::Status::OK, this);
        } else {
          stream_.Finish(grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "no message"), this);
        }
        return;
      case Step::kEnd:
        break;
    }
    const std::unique_ptr<EchoCall> destroyed_here(this);
  }

 private:
  enum class Step { kRead, kAnswer, kEnd };

  grpc::AsyncGenericService& service_;
  grpc::ServerCompletionQueue& queue_;
  grpc::GenericServerContext context_;
  grpc::GenericServerAsyncReaderWriter stream_;
  grpc::ByteBuffer bytes_;
  Step next_ = Step::kRead;
};

int Serve(const std::string& ready_file) {
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  grpc::AsyncGenericService service;
  grpc::ServerBuilder builder;
  int port = 0;
  server::SetChannelArguments(builder, server::ChannelOptions());
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterAsyncGenericService(&service);
  const std::unique_ptr<grpc::ServerCompletionQueue> queue = builder.AddCompletionQueue();
  const std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr) {
    return 1;
  }
  constexpr int kAwaited = 64;
  for (int i = 0; i < kAwaited; ++i) {
    std::make_unique<EchoCall>(service, *queue).release();
  }
  const boost::json::object ready{{"pid", getpid()}, {"grpc_port", port}};
  if (!WriteFileAtomically(ready_file, boost::json::serialize(ready)).ok()) {
    return 1;
  }
  void* tag = nullptr;
  bool ok = false;
  while (queue->Next(&tag, &ok)) {  // Until it is killed.
    static_cast<EchoCall*>(tag)->Advance(ok);
  }
  return 0;
}

}  // namespace
}  // namespace omserve::bench

int main(int argc, char** argv) {
  if (argc != 3 || std::string_view(argv[1]) != "--ready-file") {
    fputs("usage: front_echo --ready-file FILE\n", stderr);
    return 2;
  }
  return omserve::bench::Serve(argv[2]);
}
