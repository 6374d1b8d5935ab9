// SPDX-License-Identifier: Apache-2.0
// The trace of a request that came over HTTP: from its headers to those of its answer.
#pragma once

#include <memory>
#include <string>
#include <utility>

#include "server/core/custom_parameters.h"
#include "server/core/front_door.h"
#include "server/http/http_handler.h"
#include "server/http/infer_json.h"

namespace omserve::server {

// For a body that was read: sets `rest.trace` and what goes with the call.
inline void BeginTrace(const FrontDoor& door, const HttpRequest& request, RestCall& rest) {
  if (!door.tracer.is_on()) {
    return;
  }
  const std::string traceparent = request.Fields("traceparent");
  const std::string tracestate = request.Fields("tracestate");
  rest.trace = door.tracer.Begin({.traceparent = traceparent,
                                  .tracestate = tracestate,
                                  .protocol = "http",
                                  .request_id = rest.id,
                                  .model = rest.call.model->name,
                                  .version = rest.call.model->version,
                                  .received = request.received});
  if (rest.trace != nullptr && rest.trace->recorded) {
    rest.call.traced = rest.trace;
    for (const auto& [name, value] : rest.parameters) {
      TraceParameter(name, value, *rest.trace);
    }
    if (door.http_headers.takes_any()) {
      request.VisitFields([&](std::string_view name, std::string_view value) {
        TraceHeader(door.http_headers, name, value, *rest.trace);
      });
    }
  }
}

// Tells the client of the trace, in the head of its answer.
inline void AddTraceFields(const RestCall& rest, HttpReply& reply) {
  if (rest.trace == nullptr) {
    return;
  }
  const TraceContext& trace = rest.trace->context;
  reply.AddField("traceparent", FormatTraceparent(trace));
  if (!trace.state.empty()) {
    reply.AddField("tracestate", trace.state);
  }
}

// Before the last of the answer leaves.
inline void EndTrace(const FrontDoor& door, RestCall& rest, const absl::Status& status) {
  if (rest.trace != nullptr) {
    rest.call.traced.reset();
    door.tracer.End(std::move(rest.trace), status);
  }
}

}  // namespace omserve::server
