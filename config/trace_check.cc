// SPDX-License-Identifier: Apache-2.0
#include "config/trace_check.h"

#include <fmt/format.h>

#include <cstdint>
#include <limits>
#include <string>

#include "config/text_binding.h"

namespace omserve::config {
namespace {

void Range(const std::string& path, int64_t value, int64_t low, int64_t high, Findings& findings) {
  if (value < low || value > high) {
    findings.Error(path, fmt::format("expected a number from {} to {}, got {}", low, high, value));
  }
}

void CheckLevel(const TraceConfig& trace, Findings& findings) {
  for (int i = 0; i < trace.level_size(); ++i) {
    const std::string& level = trace.level(i);
    const std::string path = IndexedPath("trace.level", static_cast<size_t>(i));
    if (level != "OFF" && level != "TIMESTAMPS" && level != "TENSORS") {
      findings.Error(path,
                     fmt::format("expected OFF, TIMESTAMPS or TENSORS, got {}", Quoted(level)));
    } else if (level == "OFF" && trace.level_size() > 1) {
      findings.Error(path, "OFF stands alone");
    }
  }
}

}  // namespace

void SetTraceDefaults(TraceConfig& trace) {
  trace.set_rate(1000);
  trace.set_count(-1);
  trace.set_captured_requests(10'000);
  OtlpConfig& otlp = *trace.mutable_otlp();
  otlp.set_queue_requests(4096);
  otlp.set_batch_requests(256);
  otlp.set_delay_ms(1000);
  otlp.set_timeout_ms(10'000);
}

void CheckTrace(const TraceConfig& trace, Findings& findings) {
  if (trace.has_mode() && trace.mode() != "triton" && trace.mode() != "opentelemetry") {
    findings.Error("trace.mode",
                   fmt::format("expected triton or opentelemetry, got {}", Quoted(trace.mode())));
  }
  if (trace.mode() == "opentelemetry" && trace.otlp().endpoint().empty()) {
    findings.Error("trace.mode", "opentelemetry needs trace.otlp.endpoint");
  }
  CheckLevel(trace, findings);
  constexpr int64_t kMost = 1'000'000;
  constexpr int64_t kMostMs = 3'600'000;
  Range("trace.count", trace.count(), -1, std::numeric_limits<int32_t>::max(), findings);
  Range("trace.captured_requests", trace.captured_requests(), 1, kMost, findings);
  const OtlpConfig& otlp = trace.otlp();
  Range("trace.otlp.queue_requests", otlp.queue_requests(), 1, kMost, findings);
  Range("trace.otlp.batch_requests", otlp.batch_requests(), 1, otlp.queue_requests(), findings);
  Range("trace.otlp.delay_ms", otlp.delay_ms(), 1, kMostMs, findings);
  Range("trace.otlp.timeout_ms", otlp.timeout_ms(), 1, kMostMs, findings);
  for (int i = 0; i < otlp.resource_size(); ++i) {
    const size_t equals = otlp.resource(i).find('=');
    if (equals == 0 || equals == std::string::npos) {
      findings.Error(IndexedPath("trace.otlp.resource", static_cast<size_t>(i)),
                     fmt::format("expected name=value, got {}", Quoted(otlp.resource(i))));
    }
  }
}

}  // namespace omserve::config
