// SPDX-License-Identifier: Apache-2.0
#include "server/access_settings.h"

#include <fmt/format.h>

#include "absl/strings/ascii.h"
#include "runtime/base/check.h"

namespace omserve::server {
namespace {

Restrictions RestrictionsOf(const google::protobuf::RepeatedPtrField<RestrictedConfig>& all,
                            const std::string& prefix) {
  Restrictions restrictions;
  for (const RestrictedConfig& restricted : all) {
    for (const std::string& name : restricted.groups()) {
      const std::optional<MethodGroup> group = RestrictableGroup(name);
      OMSERVE_CHECK(group.has_value(), "the settings were checked");
      restrictions.Add(*group, prefix + restricted.key(), restricted.value());
    }
  }
  return restrictions;
}

constexpr char kGrpcPrefix[] = "triton-grpc-protocol-";  // Of restricted headers.

absl::StatusOr<config::HeaderPattern> PatternOf(
    const std::string& pattern,
    const google::protobuf::RepeatedPtrField<RestrictedConfig>& restricted,
    const std::string& prefix) {
  std::vector<std::string> secrets;
  for (const RestrictedConfig& one : restricted) {
    secrets.push_back(absl::AsciiStrToLower(prefix + one.key()));
  }
  return config::HeaderPattern::Make(pattern, secrets);
}

bool IsLoopback(const std::string& address) {
  return address == "localhost" || address == "::1" || address.starts_with("127.");
}

}  // namespace

Access::Options AccessOptionsOf(const ServerConfig& config) {
  return {.clients_file = config.auth().file(),
          .open_metrics = config.auth().open_metrics(),
          .control_on_public_ports = config.admin().control_on_public_ports(),
          .grpc = RestrictionsOf(config.auth().grpc_restricted(), kGrpcPrefix),
          .http = RestrictionsOf(config.auth().http_restricted(), "")};
}

TlsFiles TlsFilesOf(const TlsConfig& config) {
  TlsFiles files{.certificate = config.certificate_file(),
                 .key = config.key_file(),
                 .client_ca = config.client_ca_file()};
  if (config.has_reload_seconds()) {
    files.reload = std::chrono::seconds(config.reload_seconds());
  }
  return files;
}

absl::StatusOr<config::HeaderPattern> GrpcHeaderPattern(const ServerConfig& config) {
  return PatternOf(config.grpc().header_forward_pattern(), config.auth().grpc_restricted(),
                   kGrpcPrefix);
}

absl::StatusOr<config::HeaderPattern> HttpHeaderPattern(const ServerConfig& config) {
  return PatternOf(config.http().header_forward_pattern(), config.auth().http_restricted(), "");
}

std::vector<std::string> AccessWarnings(const ServerConfig& config) {
  std::vector<std::string> warnings;
  const auto check = [&](const char* name, const std::string& address, const std::string& socket,
                         const TlsConfig& tls) {
    if (!config.auth().file().empty() && tls.certificate_file().empty() && socket.empty() &&
        !IsLoopback(address)) {
      warnings.push_back(
          fmt::format("tokens of auth.file are sent in plain text to {}: set {}.tls", name, name));
    }
  };
  check("grpc", config.grpc().address(), config.grpc().unix_socket(), config.grpc().tls());
  check("http", config.http().address(), config.http().unix_socket(), config.http().tls());
  const AdminConfig& admin = config.admin();
  if (admin.allow() && !IsLoopback(admin.address()) && config.auth().file().empty() &&
      admin.tls().client_ca_file().empty()) {
    warnings.push_back(fmt::format(
        "everybody who reaches {} may load and unload models: set auth.file or admin.tls",
        admin.address()));
  }
  return warnings;
}

}  // namespace omserve::server
