// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/grpc_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/impl/codegen/service_type.h>

#include <utility>

#include "runtime/base/errors.h"
#include "server/grpc/channel_arguments.h"
#include "server/grpc/health_service.h"
#include "server/grpc/inference_service.h"

namespace omserve::server {
namespace {

std::string HostPort(const std::string& address, int port) {
  const bool is_ipv6 = address.find(':') != std::string::npos && address.front() != '[';
  return is_ipv6 ? fmt::format("[{}]:{}", address, port) : fmt::format("{}:{}", address, port);
}

}  // namespace

struct GrpcServer::Parts {
  std::unique_ptr<grpc::Service> inference;
  std::unique_ptr<grpc::Service> health;
  std::unique_ptr<grpc::Server> server;  // Last: it uses the services.
  int port = 0;
};

absl::StatusOr<std::unique_ptr<GrpcServer>> GrpcServer::Start(const Options& options,
                                                              FrontEnd front_end) {
  // For the whole process; a second call does nothing.
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::EnableDefaultHealthCheckService(false);  // Ours knows the models too.
  auto parts = std::make_unique<Parts>();
  parts->health = MakeHealthService(front_end.readiness, front_end.lifecycle);
  parts->inference = MakeInferenceService(std::move(front_end));
  const std::string listen = HostPort(options.address, options.port);
  grpc::ServerBuilder builder;
  SetChannelArguments(builder, options.max_receive_bytes);
  builder.AddListeningPort(listen, grpc::InsecureServerCredentials(), &parts->port);
  builder.RegisterService(parts->inference.get());
  builder.RegisterService(parts->health.get());
  parts->server = builder.BuildAndStart();
  if (parts->server == nullptr || parts->port == 0) {
    return Unavailable(
        "gRPC cannot listen on {}: the port is taken or the address is not this machine's; choose "
        "another with --grpc-port or --grpc-address (port 0 takes a free one)",
        listen);
  }
  return std::unique_ptr<GrpcServer>(new GrpcServer(std::move(parts)));  // NOLINT: private.
}

GrpcServer::GrpcServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}

GrpcServer::~GrpcServer() { Stop(std::chrono::milliseconds(0)); }

int GrpcServer::port() const { return parts_->port; }

void GrpcServer::Stop(std::chrono::milliseconds grace) {
  parts_->server->Shutdown(std::chrono::system_clock::now() + grace);
}

}  // namespace omserve::server
