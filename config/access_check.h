// SPDX-License-Identifier: Apache-2.0
// Checks of what omserve.yaml says of access: ports for operators and probes, restricted methods.
// Findings name the field; none where all is well. Pure.
#pragma once

#include "config/source_map.h"
#include "proto/omserve/server_config.pb.h"

namespace omserve::config {

void CheckAccess(const ServerConfig& config, Findings& findings);

}  // namespace omserve::config
