// SPDX-License-Identifier: Apache-2.0
#include "server/core/tracing/tracer.h"

#include <optional>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"

namespace omserve::server {

std::shared_ptr<RequestTrace> Tracer::Begin(const Arrival& arrival) {
  const std::optional<TraceContext> client = ParseTraceparent(arrival.traceparent);
  const TraceSampler::Sample sample = sampler_.Next(
      arrival.model, client.has_value() ? std::optional(client->sampled) : std::nullopt);
  const bool captured = capture_.is_on();
  if (!client.has_value() && !sample.traced && !captured) {
    return nullptr;
  }
  auto trace = std::make_shared<RequestTrace>();
  if (client.has_value()) {
    trace->context.trace = client->trace;
    trace->parent = client->span;
    if (IsTracestate(arrival.tracestate)) {
      trace->context.state = arrival.tracestate;
    }
  } else {
    trace->context.trace = ids_.NewTrace();
  }
  trace->context.span = ids_.NewSpan();
  trace->context.sampled = sample.traced;
  trace->recorded = sample.traced || captured;
  trace->tells_tensors = sample.tensors;
  trace->log_frequency = sample.log_frequency;
  trace->protocol = arrival.protocol;
  trace->request_id = KeptText(arrival.request_id);
  trace->model = arrival.model;
  trace->version = arrival.version;
  trace->received = arrival.received;
  return trace;
}

void Tracer::End(std::shared_ptr<RequestTrace> trace, const absl::Status& status) {
  if (trace == nullptr || !trace->recorded) {
    return;
  }
  trace->answered = clock_.Now();
  trace->code = status.code();
  if (!status.ok()) {
    trace->message = KeptText(MessageOf(status));
  }
  recorded_.fetch_add(1, std::memory_order_relaxed);
  OMSERVE_LOG(kDebug, "tracing",
              "request traced trace_id={} span_id={} model={} version={} request_id=\"{}\" "
              "status={} total_us={:.1f}",
              ToHex(trace->context.trace), ToHex(trace->context.span), trace->model, trace->version,
              trace->request_id, absl::StatusCodeToString(trace->code),
              std::chrono::duration<double, std::micro>(trace->answered - trace->received).count());
  if (capture_.is_on()) {
    capture_.Add(trace);
  }
  if (trace->context.sampled && exporter_ != nullptr) {
    exporter_->Add(std::move(trace));
  }
}

TraceValues Tracer::Values(const std::string& model) const {
  const TraceSettings settings = sampler_.Get(model);
  TraceValues values = {{"trace_level", TraceLevelNames(settings.level)},
                        {"trace_rate", {std::to_string(settings.rate)}},
                        {"trace_count", {std::to_string(settings.count)}},
                        {"trace_mode", {options_.opentelemetry ? "opentelemetry" : "triton"}}};
  if (!options_.opentelemetry) {
    values["log_frequency"] = {std::to_string(settings.log_frequency)};
    values["trace_file"] = {options_.file};
  }
  return values;
}

absl::Status Tracer::Change(const std::string& model, const TraceValues& values,
                            std::string_view who) {
  if (values.empty()) {
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const TraceChange change, ReadTraceChange(values));
  sampler_.Change(model, change);
  std::string changed;
  for (const auto& [name, of_name] : values) {
    changed += fmt::format(" {}={}", name, fmt::join(of_name, "|"));
  }
  OMSERVE_LOG(kInfo, "tracing", "trace settings changed by={} model={}{}", who,
              model.empty() ? "*" : model, changed);
  return absl::OkStatus();
}

Tracer::Counts Tracer::counts() const {
  Counts counts{.recorded = recorded_.load(std::memory_order_relaxed),
                .dropped_capture = capture_.dropped_count()};
  if (exporter_ != nullptr) {
    counts.exported = exporter_->counts();
  }
  return counts;
}

}  // namespace omserve::server
