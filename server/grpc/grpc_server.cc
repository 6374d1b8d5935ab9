// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/codegen/service_type.h>

#include <algorithm>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "runtime/base/errors.h"
#include "server/grpc/call_queue.h"
#include "server/grpc/channel_arguments.h"
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
  explicit Parts(const FrontDoor& door_in) : door(door_in) {}

  const FrontDoor& door;
  InferenceMethods inference;
  HealthMethods health;
  int port = 0;
  // Destroyed in the reverse order, after the server was shut down.
  std::unique_ptr<grpc::Server> server;
  std::vector<std::unique_ptr<CallQueue>> queues;
  std::vector<std::unique_ptr<InferPoller>> pollers;
  std::vector<std::shared_ptr<StreamPoller>> stream_pollers;

  void StartPollers();
};

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Options& options,
                                                              const FrontDoor& door) {
  // For the whole process; a second call does nothing.
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::EnableDefaultHealthCheckService(false);  // Ours knows the models too.
  auto parts = std::make_unique<Parts>(door);
  parts->health = MakeHealthService(parts->door.readiness, parts->door.lifecycle);
  parts->inference = MakeInferenceService(parts->door);
  const std::string listen = HostPort(options.address, options.port);
  grpc::ServerBuilder builder;
  SetChannelArguments(builder, options.max_receive_bytes);
  ASSIGN_OR_RETURN(const std::shared_ptr<grpc::ServerCredentials> credentials,
                   MakeCredentials(options.tls));
  builder.AddListeningPort(listen, credentials, &parts->port);
  builder.RegisterService(parts->inference.service.get());
  builder.RegisterService(parts->health.service.get());
  for (int i = 0; i < PollerCount(options); ++i) {
    parts->queues.push_back(std::make_unique<CallQueue>(builder.AddCompletionQueue()));
  }
  parts->server = builder.BuildAndStart();
  if (parts->server == nullptr || parts->port == 0) {
    return Unavailable(
        "gRPC cannot listen on {}: the port is taken or the address is not this machine's; choose "
        "another with --grpc-port or --grpc-address (port 0 takes a free one)",
        listen);
  }
  parts->StartPollers();
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(parts)));  // NOLINT: private.
}

void GrpcServer::Parts::StartPollers() {
  health.await_watches(*queues.front());
  for (size_t i = 0; i < queues.size(); ++i) {
    InferPoller& poller = *pollers.emplace_back(
        std::make_unique<InferPoller>(door, inference.request_infer, *queues[i]));
    poller.Start();
    const auto& streams = stream_pollers.emplace_back(
        std::make_shared<StreamPoller>(door, inference.request_stream, *queues[i]));
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
    queues[i]->Start("grpc-" + std::to_string(i), on_idle, on_wake);
  }
}

GrpcServer::GrpcServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

GrpcServer::~GrpcServer() { Stop(std::chrono::milliseconds(0)); }

int GrpcServer::port() const { return parts_->port; }

void GrpcServer::Stop(std::chrono::milliseconds grace) {
  parts_->server->Shutdown(std::chrono::system_clock::now() + grace);
  for (const std::unique_ptr<CallQueue>& queue : parts_->queues) {
    queue->Stop();
  }
}

}  // namespace omserve::server
