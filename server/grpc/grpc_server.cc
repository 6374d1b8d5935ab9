// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/grpc_server.h"

#include <grpc/grpc.h>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/codegen/service_type.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/base/clock.h"
#include "runtime/base/errors.h"
#include "runtime/base/mutex.h"
#include "runtime/base/thread.h"
#include "server/core/unix_socket.h"
#include "server/grpc/answer_watch.h"
#include "server/grpc/call_queue.h"
#include "server/grpc/channel_arguments.h"
#include "server/grpc/control_service.h"
#include "server/grpc/credentials.h"
#include "server/grpc/health_service.h"
#include "server/grpc/infer_method.h"
#include "server/grpc/inference_service.h"
#include "server/grpc/stream_method.h"

namespace omserve::server {
namespace {

// One thread polls, parses and copies some hundred thousand small requests or some GB a second.
constexpr int kCoresPerPoller = 4;

std::string HostPort(const std::string& address, int port) {
  const bool is_ipv6 = address.find(':') != std::string::npos && address.front() != '[';
  return is_ipv6 ? fmt::format("[{}]:{}", address, port) : fmt::format("{}:{}", address, port);
}

int PollerCount(const GrpcServer::Options& options) {
  const auto cores = static_cast<int>(std::thread::hardware_concurrency());
  return options.pollers > 0 ? options.pollers : std::max(1, cores / kCoresPerPoller);
}

}  // namespace

struct GrpcServer::Parts {
  Parts(const Options& options_in, const FrontDoor& door_in)
      : options(options_in), door(door_in), control(door), health(MakeHealthService(door)) {}

  const Options options;
  const FrontDoor& door;
  std::optional<InferenceMethods> inference;  // Not for probes,
  ControlService control;                     // nor is this.
  HealthMethods health;
  int port = 0;
  // Destroyed in the reverse order, after the server was shut down.
  std::unique_ptr<grpc::Server> server;
  std::vector<std::unique_ptr<CallQueue>> queues;
  std::vector<std::unique_ptr<AnswerWatch>> watches;
  std::vector<std::unique_ptr<InferPoller>> pollers;
  std::vector<std::shared_ptr<StreamPoller>> stream_pollers;
  Mutex mu;
  CondVar over;
  bool drained ABSL_GUARDED_BY(mu) = false;  // gRPC's Shutdown has returned.
  std::jthread drain;

  absl::Status Listen();
  void StartPollers();
  void StartPoller(size_t place);
  void Drain(std::chrono::system_clock::time_point until) ABSL_LOCKS_EXCLUDED(mu);
  // Waits for the drain to end by itself until `deadline`.
  void AwaitDrained(Clock::time_point deadline) ABSL_LOCKS_EXCLUDED(mu);
};

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Options& options,
                                                              const FrontDoor& door) {
  // For the whole process; a second call does nothing.
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::EnableDefaultHealthCheckService(false);  // Ours knows the models too.
  auto parts = std::make_unique<Parts>(options, door);
  if (door.port != PortKind::kHealth) {
    parts->inference = MakeInferenceService(door);
  }
  RETURN_IF_ERROR(parts->Listen());
  parts->StartPollers();
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(parts)));  // NOLINT: private.
}

absl::Status GrpcServer::Parts::Listen() {
  const bool is_unix = !options.unix_socket.empty();
  const std::string listen =
      is_unix ? "unix:" + options.unix_socket : HostPort(options.address, options.port);
  // gRPC would take the place of whoever listens there.
  if (is_unix && IsSocketInUse(options.unix_socket)) {
    return Unavailable("gRPC cannot listen on {}: another process does", listen);
  }
  grpc::ServerBuilder builder;
  SetChannelArguments(builder, options.channel);
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ServerCredentials> credentials,
                   MakeCredentials(options.tls));
  builder.AddListeningPort(listen, credentials, &port);
  if (inference.has_value()) {
    builder.RegisterService(inference->service.get());
    builder.RegisterService(&control);
  }
  builder.RegisterService(health.service.get());
  const int count = inference.has_value() ? PollerCount(options) : 1;
  for (int i = 0; i < count; ++i) {
    queues.push_back(std::make_unique<CallQueue>(builder.AddCompletionQueue(), options.waits));
  }
  {
    const PrivateFiles kept(is_unix && options.is_private);
    server = builder.BuildAndStart();
  }
  if (server == nullptr || port == 0) {
    return Unavailable(
        "gRPC cannot listen on {}: the port is taken or the address is not this machine's; choose "
        "another with {} (port 0 takes a free one)",
        listen, options.settings);
  }
  if (is_unix) {
    port = 0;
  }
  return absl::OkStatus();
}

void GrpcServer::Parts::StartPollers() {
  health.await_watches(*queues.front());
  for (size_t i = 0; i < queues.size(); ++i) {
    if (inference.has_value()) {
      StartPoller(i);
    } else {
      queues[i]->Start(options.name, {});
    }
  }
}

void GrpcServer::Parts::StartPoller(size_t place) {
  CallQueue& queue = *queues[place];
  AnswerWatch& watch =
      *watches.emplace_back(std::make_unique<AnswerWatch>(options.channel.keepalive_timeout));
  InferPoller& poller = *pollers.emplace_back(
      std::make_unique<InferPoller>(door, inference->request_infer, queue, watch));
  poller.Start();
  const auto& streams = stream_pollers.emplace_back(
      std::make_shared<StreamPoller>(door, inference->request_stream, queue, watch));
  streams->Start();
  door.lifecycle.AddListener(streams);
  const auto on_idle = [&poller, &of_streams = *streams] {
    poller.OnIdle();
    of_streams.OnIdle();
  };
  const auto on_wake = [&poller, &of_streams = *streams] {
    poller.OnWake();
    of_streams.OnWake();
  };
  queue.Start(options.name + "-" + std::to_string(place),
              {.on_idle = on_idle, .on_wake = on_wake, .on_second = [&watch] { watch.Tick(); }});
}

GrpcServer::GrpcServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

GrpcServer::~GrpcServer() { Stop(std::chrono::milliseconds(0)); }

int GrpcServer::port() const { return parts_->port; }

void GrpcServer::AddLoops(Heartbeats& heartbeats) {
  for (size_t i = 0; i < parts_->queues.size(); ++i) {
    heartbeats.Add(parts_->options.name + "-" + std::to_string(i),
                   [queue = parts_->queues[i].get()](std::function<void()> beat) {
                     queue->Beat(std::move(beat));
                   });
  }
}

void GrpcServer::Drain(std::chrono::milliseconds grace) {
  if (parts_->drain.joinable()) {
    return;
  }
  parts_->drain =
      StartThread("grpc-drain", [parts = parts_.get(), until = std::chrono::system_clock::now() +
                                                               grace] { parts->Drain(until); });
}

void GrpcServer::Parts::Drain(std::chrono::system_clock::time_point until) {
  server->Shutdown(until);  // gRPC tells its clients first, and then waits for their calls.
  const MutexLock lock(mu);
  drained = true;
  over.NotifyAll();
}

void GrpcServer::Parts::AwaitDrained(Clock::time_point deadline) {
  const MutexLock lock(mu);
  while (!drained && SteadyClock().WaitUntil(over, mu, deadline)) {
  }
}

void GrpcServer::Stop(std::chrono::milliseconds grace) {
  if (parts_->drain.joinable()) {
    parts_->AwaitDrained(SteadyClock().Now() + grace);
    // The drain waits as long as requests may take, and, for a client that is half dead, until it
    // has said that it was told, up to 20 s: nobody is waited for who has nothing to be finished.
    // What is left then are connections whose writes are blocked, until their keepalive times out.
    grpc_server_cancel_all_calls(parts_->server->c_server());
    parts_->drain.join();
  }
  parts_->server->Shutdown(std::chrono::system_clock::now() + grace);
  for (const std::unique_ptr<CallQueue>& queue : parts_->queues) {
    queue->Stop();
  }
}

}  // namespace omserve::server
