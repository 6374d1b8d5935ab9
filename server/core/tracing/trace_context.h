// SPDX-License-Identifier: Apache-2.0
// Who a request is to those who trace it: the ids that travel from server to server.
//
// Source: W3C Trace Context, level 1.
#pragma once

#include <atomic>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace omserve::server {

struct TraceId {
  uint64_t high = 0;
  uint64_t low = 0;
  bool operator==(const TraceId&) const = default;
};
using SpanId = uint64_t;  // 0: none.

struct TraceContext {
  TraceId trace;
  SpanId span = 0;
  bool sampled = false;  // Whoever sent it records it.
  std::string state;     // tracestate, which is handed on as it came. Empty: there is none.
};

// The value of a traceparent header; nullopt for what the standard says to pass over.
std::optional<TraceContext> ParseTraceparent(std::string_view text);
std::string FormatTraceparent(const TraceContext& context);
// The value of a tracestate header, or all of them joined with commas. One that is damaged in any
// part counts as none.
bool IsTracestate(std::string_view text);

std::string ToHex(const TraceId& id);  // 32 digits.
std::string ToHex(SpanId id);          // 16 digits.

// New ids: no two are the same within 2^64. Thread-safe.
class SpanIds final {
 public:
  explicit SpanIds(uint64_t seed) : next_(seed) {}
  SpanId NewSpan();
  TraceId NewTrace();

 private:
  uint64_t Next();

  std::atomic<uint64_t> next_;  // Relaxed: orders nothing.
};

// The `number`th span within `span`; the same for the same arguments.
SpanId ChildSpan(SpanId span, uint64_t number);

}  // namespace omserve::server
