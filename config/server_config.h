// SPDX-License-Identifier: Apache-2.0
// omserve.yaml. What each field means stands in proto/omserve/server_config.proto.
#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "config/source_map.h"
#include "proto/omserve/server_config.pb.h"

namespace omserve::config {

struct LoadedServerConfig {
  ServerConfig config;
  SourceMap source;
};

// Every default in place; fields whose default is 0, "" or nothing stay unset.
ServerConfig DefaultServerConfig();

// The file over the defaults. Not validated yet, since the command line may still change it.
// Blocks on the disk. Errors: kNotFound; kInvalidArgument with "FILE:LINE:COLUMN: key ..." lines.
absl::StatusOr<LoadedServerConfig> LoadServerConfig(const std::string& path);
// The same from YAML text; `file` is the name that errors show.
absl::StatusOr<LoadedServerConfig> ParseServerConfig(const std::string& text,
                                                     const std::string& file);

// Ranges and what must be there; `source` may be empty.
// Errors: kInvalidArgument, a line each, naming the field.
absl::Status ValidateServerConfig(const ServerConfig& config, const SourceMap& source);

}  // namespace omserve::config
