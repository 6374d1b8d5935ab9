// SPDX-License-Identifier: Apache-2.0
// What the settings say of access, as the guard takes it.
#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/header_pattern.h"
#include "proto/omserve/server_config.pb.h"
#include "server/core/auth/access.h"
#include "server/core/tls_files.h"

namespace omserve::server {

// `config` is valid.
Access::Options AccessOptionsOf(const ServerConfig& config);
TlsFiles TlsFilesOf(const TlsConfig& config);
// Which headers a trace tells of by `pattern`; never those that open restricted methods.
absl::StatusOr<config::HeaderPattern> HeaderPatternOf(const ServerConfig& config,
                                                      const std::string& pattern);
// What is allowed and should be known: secrets in plain text, ports for operators that are open.
std::vector<std::string> AccessWarnings(const ServerConfig& config);

}  // namespace omserve::server
