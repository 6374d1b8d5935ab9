// SPDX-License-Identifier: Apache-2.0
// Traces to a collector of OpenTelemetry: OTLP over gRPC.
//
// Source: the OpenTelemetry protocol's specification.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "proto/opentelemetry/trace_service.pb.h"
#include "runtime/base/clock.h"
#include "server/core/tracing/trace_exporter.h"

namespace omserve::server {

struct OtlpOptions {
  std::string endpoint;  // host:port, with http:// before it or not; https:// for TLS.
  std::string service_name;
  std::string version;  // Of the service, and of the code that makes the spans.
  std::vector<std::pair<std::string, std::string>> resource;  // More of its attributes.
  std::chrono::milliseconds timeout{10'000};                  // Of one call.
  std::function<std::chrono::nanoseconds()> wall_clock;       // Since the epoch.
};

// The spans of `traces`; `wall_offset` is the wall clock's time less the host clock's.
opentelemetry::proto::collector::trace::v1::ExportTraceServiceRequest OtlpRequest(
    const OtlpOptions& options, std::span<const RequestTraceHandle> traces,
    std::chrono::nanoseconds wall_offset);

// Connects with the first Write. `clock` outlives it. Errors: kInvalidArgument for an endpoint that
// is none.
absl::StatusOr<std::unique_ptr<TraceSink>> MakeOtlpSink(const OtlpOptions& options,
                                                        const Clock& clock);

}  // namespace omserve::server
