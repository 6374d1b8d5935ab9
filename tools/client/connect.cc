// SPDX-License-Identifier: Apache-2.0
#include "tools/client/connect.h"

#include "runtime/base/errors.h"
#include "runtime/base/file.h"
#include "runtime/base/status_macros.h"

namespace omserve::client {
namespace {

constexpr size_t kMostBytes = 1 << 20;

absl::StatusOr<std::string> Read(const char* option, const std::string& path) {
  if (path.empty()) {
    return std::string();
  }
  absl::StatusOr<std::string> text = ReadFile(path, kMostBytes);
  return text.ok() ? text : InvalidArgument("{}: {}", option, MessageOf(text.status()));
}

}  // namespace

absl::StatusOr<ConnectOptions> ReadConnectOptions(const std::string& target,
                                                  const ConnectFiles& files) {
  ConnectOptions options{.target = target, .server_name = files.server_name};
  ASSIGN_OR_RETURN(options.token, Read("--token-file", files.token));
  options.token.erase(options.token.find_last_not_of(" \t\r\n") + 1);
  if (!files.token.empty() &&
      (options.token.empty() || options.token.find_first_of(" \t\r\n") != std::string::npos)) {
    return InvalidArgument("--token-file: '{}' does not hold one token alone", files.token);
  }
  if (files.certificate.empty() != files.key.empty()) {
    return InvalidArgument("--tls-cert and --tls-key come together");
  }
  ASSIGN_OR_RETURN(options.ca_pem, Read("--tls-ca", files.ca));
  ASSIGN_OR_RETURN(options.certificate_pem, Read("--tls-cert", files.certificate));
  ASSIGN_OR_RETURN(options.key_pem, Read("--tls-key", files.key));
  options.tls =
      files.tls || !files.ca.empty() || !files.certificate.empty() || !files.server_name.empty();
  return options;
}

std::shared_ptr<grpc::Channel> MakeChannel(const ConnectOptions& options,
                                           grpc::ChannelArguments arguments) {
  if (!options.tls) {
    return grpc::CreateCustomChannel(options.target, grpc::InsecureChannelCredentials(), arguments);
  }
  if (!options.server_name.empty()) {
    arguments.SetSslTargetNameOverride(options.server_name);
  }
  return grpc::CreateCustomChannel(
      options.target,
      grpc::SslCredentials({options.ca_pem, options.key_pem, options.certificate_pem}), arguments);
}

void Authorize(const std::string& token, grpc::ClientContext& context) {
  if (!token.empty()) {
    context.AddMetadata("authorization", "Bearer " + token);
  }
}

}  // namespace omserve::client
