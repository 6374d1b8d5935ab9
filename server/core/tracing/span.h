// SPDX-License-Identifier: Apache-2.0
// A traced request as spans, the form in which collectors take traces:
//
//   infer MODEL                     the request, a child of the client's span
//     step NAME                     from when its inputs were there
//       queue                       until it was launched
//       batch                       until the host knew of its end
//         compute                   the device's own time
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "server/core/tracing/request_trace.h"

namespace omserve::server {

struct SpanAttribute {
  std::string name;
  std::variant<std::string, int64_t, double, bool> value;
};

struct Span {
  SpanId id = 0;
  SpanId parent = 0;  // 0: none.
  std::string name;
  scheduler::Instant begin;
  scheduler::Instant end;  // Not before `begin`.
  std::vector<SpanAttribute> attributes;
};

// The request's own first; each lies within its parent. Pure: the same trace has the same spans.
std::vector<Span> SpansOf(const RequestTrace& trace);

}  // namespace omserve::server
