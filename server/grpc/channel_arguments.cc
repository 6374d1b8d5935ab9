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

int Milliseconds(std::chrono::milliseconds time) {
  return static_cast<int>(std::clamp<int64_t>(time.count(), 0, std::numeric_limits<int>::max()));
}

void SetAge(grpc::ServerBuilder& builder, const ChannelOptions& options) {
  if (options.max_age.count() == 0) {
    return;
  }
  builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, Milliseconds(options.max_age));
  if (options.max_age_grace.count() > 0) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS,
                               Milliseconds(options.max_age_grace));
  }
}

// gRPC finds the algorithm that the client takes.
void SetCompression(grpc::ServerBuilder& builder, const std::string& level) {
  if (level == "low") {
    builder.SetDefaultCompressionLevel(GRPC_COMPRESS_LEVEL_LOW);
  } else if (level == "medium") {
    builder.SetDefaultCompressionLevel(GRPC_COMPRESS_LEVEL_MED);
  } else if (level == "high") {
    builder.SetDefaultCompressionLevel(GRPC_COMPRESS_LEVEL_HIGH);
  }
}

}  // namespace

void SetChannelArguments(grpc::ServerBuilder& builder, const ChannelOptions& options) {
  constexpr int64_t kMost = std::numeric_limits<int>::max();
  builder.SetMaxReceiveMessageSize(static_cast<int>(std::min(options.max_receive_bytes, kMost)));
  SetCompression(builder, options.compression);
  SetAge(builder, options);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, Milliseconds(options.keepalive_time));
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS,
                             Milliseconds(options.keepalive_timeout));
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
