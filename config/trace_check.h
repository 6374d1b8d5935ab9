// SPDX-License-Identifier: Apache-2.0
// The part `trace` of omserve.yaml: what holds where it says nothing, and its checks. Pure.
#pragma once

#include "config/source_map.h"
#include "proto/omserve/server_config.pb.h"

namespace omserve::config {

void SetTraceDefaults(TraceConfig& trace);
void CheckTrace(const TraceConfig& trace, Findings& findings);

}  // namespace omserve::config
