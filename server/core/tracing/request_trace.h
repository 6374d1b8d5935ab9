// SPDX-License-Identifier: Apache-2.0
// What is recorded of one request that is traced: a value, from its arrival to its answer.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "runtime/base/clock.h"
#include "runtime/base/tensor.h"
#include "scheduler/request.h"
#include "scheduler/stage_times.h"
#include "server/core/tracing/trace_context.h"

namespace omserve::server {

inline constexpr size_t kMostKeptBytes = 256;

// What a trace keeps of a text that somebody else chose the length of: the first 256 bytes of
// UTF-8, without a character that they would cut.
std::string KeptText(std::string_view text);

// A tensor of the request or of its answer: what it is, never what it holds.
struct TracedTensor {
  std::string name;
  std::string datatype;
  Dims shape;
};

// A parameter that nobody here obeys, or a header.
struct TracedParameter {
  std::string name;   // As KeptText.
  std::string value;  // Likewise.
};
inline constexpr size_t kMostTracedParameters = 16;

// Written by one thread after the other, as the request goes from hand to hand.
struct RequestTrace {
  // Its own span; what the answer says. One that was sampled is sent to whoever collects traces.
  TraceContext context;
  SpanId parent = 0;  // The client's span, where it has told of one.
  // It is recorded. Else only its context is handed on to the answer.
  bool recorded = false;
  bool tells_tensors = false;  // By trace_level TENSORS.
  uint32_t log_frequency = 0;  // Of the settings that it was sampled by.
  std::string_view protocol;   // "grpc", "grpc-stream" or "http".
  std::string request_id;      // The client's, as KeptText.
  std::string model;
  int64_t version = 0;
  scheduler::Instant received;
  scheduler::Instant answered;  // The answer was handed to gRPC or to the connection.
  absl::StatusCode code = absl::StatusCode::kOk;
  std::string message;      // What went wrong, as KeptText.
  bool from_cache = false;  // Nothing ran.
  scheduler::StageTimes stages;
  std::vector<scheduler::StepTrace> steps;
  // At most kMostTracedParameters of each, a name once.
  std::vector<TracedParameter> headers;
  std::vector<TracedParameter> parameters;
  std::vector<TracedTensor> inputs;
  std::vector<TracedTensor> outputs;
};

using RequestTraceHandle = std::shared_ptr<const RequestTrace>;

// A step's times on the device, moved to the host's clock: within [begun, done].
struct StepOnHost {
  scheduler::Instant input_start;
  scheduler::Instant input_end;
  scheduler::Instant compute_start;
  scheduler::Instant compute_end;
  scheduler::Instant output_end;
};

// The host's clock less the device's, as far as one step tells: it is at most this, since the host
// learns of an end after it. The least of several steps is the best. Requires step.timed().
Clock::duration ClockOffset(const scheduler::StepTrace& step);
// Requires step.timed().
StepOnHost OnHost(const scheduler::StepTrace& step, Clock::duration offset);

}  // namespace omserve::server
