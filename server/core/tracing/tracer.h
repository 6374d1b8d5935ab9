// SPDX-License-Identifier: Apache-2.0
// Tracing as the front ends see it: whether a request is traced, and the end of its trace.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "runtime/base/clock.h"
#include "server/core/tracing/request_trace.h"
#include "server/core/tracing/trace_capture.h"
#include "server/core/tracing/trace_exporter.h"
#include "server/core/tracing/trace_sampler.h"

namespace omserve::server {

// Thread-safe.
class Tracer final {
 public:
  struct Options {
    TraceSettings settings;
    bool opentelemetry = false;  // trace_mode; false: "triton".
    std::string file;            // trace_file, as it is told to clients.
    uint64_t seed = 0;           // Of the ids: another one for each process.
    size_t captured_requests = 10'000;
  };
  // `exporter`: null where traces go nowhere. The references outlive it.
  Tracer(const Options& options, TraceExporter* exporter, Clock& clock)
      : options_(options),
        exporter_(exporter),
        clock_(clock),
        sampler_(options.settings),
        capture_(clock, options.captured_requests),
        ids_(options.seed) {}

  // While this is false nothing else here is of use to a request, and what its client says of
  // traces need not be read. Two loads.
  bool is_on() const { return sampler_.is_on() || capture_.is_on(); }

  struct Arrival {
    std::string_view traceparent;  // Empty where the client has none.
    std::string_view tracestate;
    std::string_view protocol;  // A literal.
    std::string_view request_id;
    const std::string& model;
    int64_t version = 0;
    scheduler::Instant received;
  };
  // Null: nothing is recorded, and the answer says nothing. Else End is called once, when the
  // request is answered.
  std::shared_ptr<RequestTrace> Begin(const Arrival& arrival);
  // Before the answer leaves. Also for requests that were refused. Null: nothing.
  void End(std::shared_ptr<RequestTrace> trace, const absl::Status& status);

  TraceCapture& capture() { return capture_; }

  // All settings of `model`; empty: of the server.
  TraceValues Values(const std::string& model) const;
  // All of `values`, or nothing where one of them is refused. `who` asked stands in the log.
  // Errors: ReadTraceChange's.
  absl::Status Change(const std::string& model, const TraceValues& values, std::string_view who);

  struct Counts {
    uint64_t recorded = 0;         // Requests.
    uint64_t dropped_capture = 0;  // See TraceCapture.
    TraceExporter::Counts exported;
  };
  Counts counts() const;

 private:
  // Constant after construction.
  const Options options_;
  TraceExporter* const exporter_;
  Clock& clock_;

  // Synchronise themselves.
  TraceSampler sampler_;
  TraceCapture capture_;
  SpanIds ids_;
  std::atomic<uint64_t> recorded_{0};  // Relaxed: orders nothing.
};

}  // namespace omserve::server
