// SPDX-License-Identifier: Apache-2.0
#include "config/access_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

namespace omserve::config {
namespace {

constexpr uint32_t kMostPort = 65535;
constexpr size_t kMostUnixPathBytes = 108;  // Of sockaddr_un.
constexpr const char* kGroups[] = {"health",        "metadata",     "inference",
                                   "shared-memory", "model-config", "model-repository",
                                   "statistics",    "trace",        "logging"};
// RFC 9110's token, but for capitals, which gRPC's metadata has not.
constexpr char kKeyCharacters[] = "abcdefghijklmnopqrstuvwxyz0123456789!#$%&'*+-.^_`|~";

void CheckPort(const std::string& path, uint32_t port, Findings& findings) {
  if (port > kMostPort) {
    findings.Error(path, fmt::format("expected a number from 0 to {}, got {}", kMostPort, port));
  }
}

void CheckSocket(const std::string& path, const std::string& socket, Findings& findings) {
  if (socket.size() >= kMostUnixPathBytes) {
    findings.Error(path, fmt::format("expected a path of less than {} bytes, got {}",
                                     kMostUnixPathBytes, socket.size()));
  }
}

void CheckRestricted(const std::string& path,
                     const google::protobuf::RepeatedPtrField<RestrictedConfig>& all,
                     Findings& findings) {
  std::set<std::string> seen;
  for (int i = 0; i < all.size(); ++i) {
    const std::string at = IndexedPath(path, static_cast<size_t>(i));
    if (all[i].groups().empty()) {
      findings.Error(FieldPath(at, "groups"), "expected at least one group of methods");
    }
    for (const std::string& group : all[i].groups()) {
      if (std::find(std::begin(kGroups), std::end(kGroups), group) == std::end(kGroups)) {
        findings.Error(
            FieldPath(at, "groups"),
            fmt::format("expected one of {}; got {}", fmt::join(kGroups, ", "), Quoted(group)));
      } else if (!seen.insert(group).second) {
        findings.Error(FieldPath(at, "groups"),
                       fmt::format("{} is restricted twice", Quoted(group)));
      }
    }
    const std::string& key = all[i].key();
    if (key.empty() || key.find_first_not_of(kKeyCharacters) != std::string::npos) {
      findings.Error(FieldPath(at, "key"),
                     fmt::format("expected a header's name in lower case, got {}", Quoted(key)));
    }
    if (all[i].value().empty()) {
      findings.Error(FieldPath(at, "value"), "expected text, got nothing");
    }
  }
}

}  // namespace

void CheckAccess(const ServerConfig& config, Findings& findings) {
  CheckPort("admin.grpc_port", config.admin().grpc_port(), findings);
  CheckPort("admin.http_port", config.admin().http_port(), findings);
  CheckPort("health.http_port", config.health().http_port(), findings);
  CheckPort("health.grpc_port", config.health().grpc_port(), findings);
  CheckSocket("grpc.unix_socket", config.grpc().unix_socket(), findings);
  CheckSocket("admin.grpc_unix_socket", config.admin().grpc_unix_socket(), findings);
  CheckSocket("admin.http_unix_socket", config.admin().http_unix_socket(), findings);
  for (const auto& [path, address] : {std::pair("admin.address", config.admin().address()),
                                      std::pair("health.address", config.health().address())}) {
    if (address.empty()) {
      findings.Error(path, "expected text, got nothing; leave the key out for the default");
    }
  }
  CheckRestricted("auth.grpc_restricted", config.auth().grpc_restricted(), findings);
  CheckRestricted("auth.http_restricted", config.auth().http_restricted(), findings);
}

}  // namespace omserve::config
