// SPDX-License-Identifier: Apache-2.0
#include "server/tracing_setup.h"

#include <random>
#include <utility>

#include "runtime/base/status_macros.h"
#include "server/core/tracing/trace_file.h"
#include "server/grpc/otlp_sink.h"

namespace omserve::server {
namespace {

// Null where traces go nowhere.
absl::StatusOr<std::unique_ptr<TraceSink>> MakeSink(
    const ServerConfig& config, bool opentelemetry, const std::string& version,
    std::function<std::chrono::nanoseconds()> wall_clock, const Clock& clock) {
  const TraceConfig& trace = config.trace();
  if (!opentelemetry) {
    return trace.file().empty() ? nullptr : std::make_unique<TraceFile>(trace.file());
  }
  OtlpOptions options{.endpoint = trace.otlp().endpoint(),
                      .service_name = trace.otlp().service_name().empty()
                                          ? config.server_id()
                                          : trace.otlp().service_name(),
                      .version = version,
                      .timeout = std::chrono::milliseconds(trace.otlp().timeout_ms()),
                      .wall_clock = std::move(wall_clock)};
  for (const std::string& attribute : trace.otlp().resource()) {
    const size_t equals = attribute.find('=');
    options.resource.emplace_back(attribute.substr(0, equals), attribute.substr(equals + 1));
  }
  return MakeOtlpSink(options, clock);
}

uint64_t RandomSeed() {
  std::random_device random;
  return uint64_t{random()} << 32 | random();
}

}  // namespace

absl::StatusOr<Tracing> MakeTracing(const ServerConfig& config, const std::string& version,
                                    std::function<std::chrono::nanoseconds()> wall_clock,
                                    Clock& clock) {
  const TraceConfig& trace = config.trace();
  const bool opentelemetry =
      trace.has_mode() ? trace.mode() == "opentelemetry" : !trace.otlp().endpoint().empty();
  ASSIGN_OR_RETURN(std::unique_ptr<TraceSink> sink,
                   MakeSink(config, opentelemetry, version, std::move(wall_clock), clock));
  Tracer::Options options{.settings = {.level = {.timestamps = sink != nullptr},
                                       .rate = trace.rate(),
                                       .count = trace.count(),
                                       .log_frequency = trace.log_frequency()},
                          .opentelemetry = opentelemetry,
                          .file = trace.file(),
                          .seed = RandomSeed(),
                          .captured_requests = static_cast<size_t>(trace.captured_requests())};
  if (trace.level_size() > 0) {
    ASSIGN_OR_RETURN(options.settings.level,
                     ReadTraceLevel({trace.level().begin(), trace.level().end()}));
  }
  Tracing tracing;
  if (sink != nullptr) {
    tracing.exporter = std::make_unique<TraceExporter>(
        std::move(sink), clock,
        TraceExporter::Options{.most_waiting = static_cast<size_t>(trace.otlp().queue_requests()),
                               .most_in_batch = static_cast<size_t>(trace.otlp().batch_requests()),
                               .delay = std::chrono::milliseconds(trace.otlp().delay_ms())});
  }
  tracing.tracer = std::make_unique<Tracer>(options, tracing.exporter.get(), clock);
  return tracing;
}

}  // namespace omserve::server
