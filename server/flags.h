// SPDX-License-Identifier: Apache-2.0
// omserved's command line.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "config/server_config.h"
#include "server/triton_flags.h"

namespace omserve::server {

// What was given; what was not is the file's business.
struct Flags {
  std::string config_file;
  std::vector<std::string> model_repositories;
  std::optional<int> grpc_port;
  std::optional<std::string> grpc_address;
  std::optional<int> http_port;
  std::optional<std::string> http_address;
  std::optional<bool> allow_metrics;
  std::optional<int> metrics_port;
  std::optional<std::string> metrics_address;
  std::optional<int> admin_grpc_port;
  std::optional<int> admin_http_port;
  std::optional<bool> control_on_public_ports;
  std::optional<std::string> auth_file;
  std::optional<std::string> device_library;
  std::optional<std::string> log_level;
  bool log_json = false;
  bool exit_on_error = true;  // Do not serve when a model cannot be loaded.
  std::string ready_file;
  bool check_config = false;
  TritonFlags triton;
};

// The flags, or the exit status of a command line that is answered at once: --help and --version
// with 0, a wrong one with 2. Prints the answer.
std::variant<Flags, int> ParseFlags(int argc, const char* const* argv, const std::string& version);

// The file that the flags name, or the defaults, with the flags over them; validated. `warnings`
// gets a line for each flag that is not followed. Errors: those of LoadServerConfig,
// ApplyTritonFlags and ValidateServerConfig.
absl::StatusOr<ServerConfig> EffectiveConfig(const Flags& flags,
                                             std::vector<std::string>* warnings);

}  // namespace omserve::server
