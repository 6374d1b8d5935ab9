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

// Headers that open restricted methods, of both protocols and with both spellings: clients and
// gateways may send those of the one with the other.
std::vector<std::string> SecretHeaders(const AuthConfig& auth) {
  std::vector<std::string> secrets;
  for (const auto* all : {&auth.grpc_restricted(), &auth.http_restricted()}) {
    for (const RestrictedConfig& one : *all) {
      const std::string key = absl::AsciiStrToLower(one.key());
      secrets.push_back(key);
      secrets.push_back(kGrpcPrefix + key);
    }
  }
  return secrets;
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

absl::StatusOr<config::HeaderPattern> HeaderPatternOf(const ServerConfig& config,
                                                      const std::string& pattern) {
  return config::HeaderPattern::Make(pattern, SecretHeaders(config.auth()));
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
