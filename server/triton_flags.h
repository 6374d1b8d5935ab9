// SPDX-License-Identifier: Apache-2.0
// Flags under the names that tritonserver has, so that scripts which start it start omserved. What
// means the same here is followed; what has no meaning here is taken with a warning; what would
// make a difference that is not built is refused, since a script that asks for it must not run
// without.
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/server_config.h"

namespace CLI {
class App;
}

namespace omserve::server {

struct TritonFlags {
  std::optional<std::string> server_id;
  std::optional<double> exit_timeout_s;
  std::optional<int64_t> max_input_bytes;
  std::optional<int32_t> http_threads;
  std::optional<int64_t> pinned_pool_bytes;
  std::optional<std::string> control_mode;
  std::vector<std::string> load_models;
  std::optional<int32_t> poll_seconds;
  std::optional<bool> use_ssl;
  std::optional<bool> use_ssl_mutual;
  std::optional<std::string> server_certificate;
  std::optional<std::string> server_key;
  std::optional<std::string> root_certificate;
  std::optional<std::string> log_file;
  std::optional<uint32_t> log_verbose;
  std::optional<bool> log_info;
  std::optional<bool> log_warning;
  std::optional<bool> log_error;
  std::optional<std::string> log_format;
  std::optional<bool> strict_readiness;
  std::optional<bool> allow_client_shm;
  std::optional<std::string> grpc_compression;
  std::optional<int32_t> keepalive_time_ms;
  std::optional<int32_t> keepalive_timeout_ms;
  std::optional<int32_t> max_age_ms;
  std::optional<int32_t> max_age_grace_ms;
  std::optional<std::string> grpc_header_pattern;
  std::optional<std::string> http_header_pattern;
  std::vector<std::string> caches;           // "local,size=BYTES"
  std::vector<std::string> metrics;          // "NAME=VALUE"
  std::vector<std::string> rate_limit;       // "execution_count" or "off"
  std::vector<std::string> resources;        // "NAME:COUNT[:DEVICE]"
  std::vector<std::string> traces;           // "NAME=VALUE" or "MODE,NAME=VALUE"
  std::vector<std::string> grpc_restricted;  // "GROUP[,GROUP...]:KEY=VALUE"
  std::vector<std::string> http_restricted;  // Likewise.
  struct Other {
    std::string name;
    std::vector<std::string> values;  // Empty where it was not given.
  };
  std::deque<Other> others;  // Of stable address: CLI11 writes into them.
};

void AddTritonFlags(CLI::App& app, TritonFlags& flags);

// Puts what was given into `config`; the rest gives warnings, a line each. Errors: kInvalidArgument
// for a value that cannot be read; kUnimplemented for what must not be passed over.
absl::StatusOr<std::vector<std::string>> ApplyTritonFlags(const TritonFlags& flags,
                                                          ServerConfig& config);

}  // namespace omserve::server
