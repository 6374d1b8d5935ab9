// SPDX-License-Identifier: Apache-2.0
// How a tool reaches a server, and says who it is.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"

namespace omserve::client {

// As they are named on a command line; all may be empty.
struct ConnectFiles {
  std::string token;        // A bearer token, alone in its file.
  bool tls = false;         // Any of the next four asks for it too.
  std::string ca;           // PEM: who has signed the server's certificate. Empty: the system's.
  std::string certificate;  // PEM, of this client, and
  std::string key;          // its key.
  std::string server_name;  // As in the server's certificate, where that is not the host's name.
};

struct ConnectOptions {
  std::string target;  // host:port or unix:path.
  std::string token;   // Empty: none is sent.
  bool tls = false;
  std::string ca_pem;
  std::string certificate_pem;
  std::string key_pem;
  std::string server_name;
};

// Blocks on the disk. Errors: kInvalidArgument, naming the option.
absl::StatusOr<ConnectOptions> ReadConnectOptions(const std::string& target,
                                                  const ConnectFiles& files);

std::shared_ptr<grpc::Channel> MakeChannel(const ConnectOptions& options,
                                           grpc::ChannelArguments arguments);
// What each call has to carry.
void Authorize(const std::string& token, grpc::ClientContext& context);

}  // namespace omserve::client
