// SPDX-License-Identifier: Apache-2.0
// What the server asks of its connections.
#pragma once

#include <cstdint>

namespace grpc {
class ServerBuilder;
}

namespace omserve::server {

// Message sizes, patience with pings, and an address that nobody shares.
void SetChannelArguments(grpc::ServerBuilder& builder, int64_t max_receive_bytes);

}  // namespace omserve::server
