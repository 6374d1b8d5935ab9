// SPDX-License-Identifier: Apache-2.0
// The gRPC port: the inference service, health, and reflection.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "server/core/front_door.h"
#include "server/core/heartbeats.h"
#include "server/core/tls_files.h"
#include "server/grpc/channel_arguments.h"
#include "server/grpc/queue_waits.h"

namespace omserve::server {

// Thread-safe.
class GrpcServer final {
 public:
  struct Options {
    std::string name = "grpc";                               // Of the threads.
    std::string settings = "--grpc-port or --grpc-address";  // By which the port can be changed.
    std::string address = "0.0.0.0";  // A host name or number; an IPv6 address without brackets.
    int port = 8001;                  // 0: a free one.
    std::string unix_socket;          // A path to listen on instead; empty: none.
    bool is_private = false;          // The Unix socket is for this user only.
    ChannelOptions channel;
    TlsFiles tls;     // Not given: plain text.
    int pollers = 0;  // Threads that read, parse and send; 0: by the number of cores.
    QueueWaits waits = QueueWaits::kAlways;  // Of these threads.
  };
  // Listens and serves; a door for probes has the health service alone. `door` outlives the server.
  // Errors: kUnavailable when the address cannot be listened on; MakeCredentials'.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const Options& options,
                                                           const FrontDoor& door);
  GrpcServer(const GrpcServer&) = delete;
  GrpcServer& operator=(const GrpcServer&) = delete;
  // Stops with no grace where Stop was not called.
  ~GrpcServer();

  int port() const;  // 0 with a Unix socket.
  // Has `heartbeats` look at the threads. Stopped before this is destroyed.
  void AddLoops(Heartbeats& heartbeats);
  // Sends clients away: connections are told to go elsewhere (GOAWAY), and no new calls are taken.
  // Those under way go on, for at most `grace`. Does not block.
  void Drain(std::chrono::milliseconds grace);
  // Takes no new calls, waits up to `grace` for those under way, and cancels the rest. Blocks.
  // Idempotent.
  void Stop(std::chrono::milliseconds grace);

 private:
  struct Parts;  // Keeps grpcpp out of main.
  explicit GrpcServer(std::unique_ptr<Parts> parts);

  const std::unique_ptr<Parts> parts_;
};

}  // namespace omserve::server
