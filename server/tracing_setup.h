// SPDX-License-Identifier: Apache-2.0
// Tracing as the settings want it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "proto/omserve/server_config.pb.h"
#include "runtime/base/clock.h"
#include "server/core/tracing/trace_exporter.h"
#include "server/core/tracing/tracer.h"

namespace omserve::server {

struct Tracing {
  std::unique_ptr<TraceExporter> exporter;  // Null: traces go nowhere.
  std::unique_ptr<Tracer> tracer;           // Uses it.
};

// `clock` outlives the result; `wall_clock` is the time since the epoch. Errors: kInvalidArgument
// for an endpoint that is none.
absl::StatusOr<Tracing> MakeTracing(const ServerConfig& config, const std::string& version,
                                    std::function<std::chrono::nanoseconds()> wall_clock,
                                    Clock& clock);

}  // namespace omserve::server
