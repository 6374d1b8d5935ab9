// SPDX-License-Identifier: Apache-2.0
// What the server asks of its connections.
#pragma once

#include <chrono>
#include <cstdint>
#include <limits>
#include <string>

namespace grpc {
class ServerBuilder;
}

namespace omserve::server {

struct ChannelOptions {
  int64_t max_receive_bytes = std::numeric_limits<int32_t>::max();
  // Of answers, for clients that take it: "none", "low", "medium" or "high".
  std::string compression = "none";
  // A client that sent nothing for so long is pinged, and has so long to answer.
  std::chrono::milliseconds keepalive_time{7'200'000};
  std::chrono::milliseconds keepalive_timeout{20'000};
  // Older connections are sent away; their calls may go on for so long. 0: no limit.
  std::chrono::milliseconds max_age{0};
  std::chrono::milliseconds max_age_grace{0};
};

// And patience with clients' own pings, and an address that nobody shares.
void SetChannelArguments(grpc::ServerBuilder& builder, const ChannelOptions& options);

}  // namespace omserve::server
