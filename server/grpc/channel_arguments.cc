// SPDX-License-Identifier: Apache-2.0
#include "server/grpc/channel_arguments.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <limits>

namespace omserve::server {
namespace {

// Clients ping as often as they like while idle; gRPC would end their connections for it.
constexpr int kPingIntervalMs = 10'000;
// For TLS and HTTP/2 to begin; gRPC's own patience is 2 minutes.
constexpr int kHandshakeTimeoutMs = 10'000;

}  // namespace

void SetChannelArguments(grpc::ServerBuilder& builder, int64_t max_receive_bytes) {
  constexpr int64_t kMost = std::numeric_limits<int>::max();
  builder.SetMaxReceiveMessageSize(static_cast<int>(std::min(max_receive_bytes, kMost)));
  builder.SetMaxSendMessageSize(-1);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS,
                             kPingIntervalMs);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MAX_PING_STRIKES, 0);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, kHandshakeTimeoutMs);
  // Else a second daemon would share the port, and requests would go to either.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
}

}  // namespace omserve::server
