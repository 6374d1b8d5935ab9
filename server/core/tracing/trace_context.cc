// SPDX-License-Identifier: Apache-2.0
#include "server/core/tracing/trace_context.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

namespace omserve::server {
namespace {

constexpr size_t kTraceparentLength = 55;  // 00-<32>-<16>-<2>
constexpr size_t kMostStateMembers = 32;
constexpr size_t kMostStateText = 256;  // Of a key, and of a value.

// Exactly `text.size()` lower-case digits, at most 16.
std::optional<uint64_t> ReadHex(std::string_view text) {
  uint64_t value = 0;
  for (const char c : text) {
    const bool is_digit = c >= '0' && c <= '9';
    if (!is_digit && (c < 'a' || c > 'f')) {
      return std::nullopt;
    }
    value = value << 4 | static_cast<uint64_t>(is_digit ? c - '0' : c - 'a' + 10);
  }
  return value;
}

bool IsStateKey(std::string_view key) {
  const auto is_start = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return !key.empty() && key.size() <= kMostStateText && is_start(key.front()) &&
         std::ranges::all_of(key, [&](char c) {
           return is_start(c) || c == '_' || c == '-' || c == '*' || c == '/' || c == '@';
         });
}

bool IsStateValue(std::string_view value) {
  return !value.empty() && value.size() <= kMostStateText && value.back() != ' ' &&
         std::ranges::all_of(value,
                             [](char c) { return c >= ' ' && c <= '~' && c != ',' && c != '='; });
}

std::string_view Trimmed(std::string_view text) {
  const size_t first = text.find_first_not_of(" \t");
  return first == std::string_view::npos
             ? std::string_view()
             : text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Bijective, and every bit of the result depends on every bit of `value` (splitmix64).
uint64_t Mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31);
}

constexpr uint64_t kStep = 0x9e3779b97f4a7c15ULL;  // Odd: the steps meet every number.

}  // namespace

std::optional<TraceContext> ParseTraceparent(std::string_view text) {
  if (text.size() < kTraceparentLength || text[2] != '-' || text[35] != '-' || text[52] != '-') {
    return std::nullopt;
  }
  const std::optional<uint64_t> version = ReadHex(text.substr(0, 2));
  const std::optional<uint64_t> high = ReadHex(text.substr(3, 16));
  const std::optional<uint64_t> low = ReadHex(text.substr(19, 16));
  const std::optional<uint64_t> span = ReadHex(text.substr(36, 16));
  const std::optional<uint64_t> flags = ReadHex(text.substr(53, 2));
  if (!version.has_value() || !high.has_value() || !low.has_value() || !span.has_value() ||
      !flags.has_value() || *version == 0xff || (*high == 0 && *low == 0) || *span == 0) {
    return std::nullopt;
  }
  // Later versions may say more after these fields.
  const bool more = text.size() > kTraceparentLength;
  if (more && (*version == 0 || text[kTraceparentLength] != '-')) {
    return std::nullopt;
  }
  return TraceContext{
      .trace = {.high = *high, .low = *low}, .span = *span, .sampled = (*flags & 1) != 0};
}

std::string FormatTraceparent(const TraceContext& context) {
  return fmt::format("00-{}-{}-{}", ToHex(context.trace), ToHex(context.span),
                     context.sampled ? "01" : "00");
}

bool IsTracestate(std::string_view text) {
  std::vector<std::string_view> keys;
  size_t members = 0;
  while (true) {
    const size_t comma = text.find(',');
    const std::string_view member = Trimmed(text.substr(0, comma));
    if (!member.empty()) {  // Empty ones are allowed, and say nothing.
      const size_t equals = member.find('=');
      if (equals == std::string_view::npos || !IsStateKey(member.substr(0, equals)) ||
          !IsStateValue(member.substr(equals + 1)) || ++members > kMostStateMembers) {
        return false;
      }
      keys.push_back(member.substr(0, equals));
    }
    if (comma == std::string_view::npos) {
      break;
    }
    text.remove_prefix(comma + 1);
  }
  std::ranges::sort(keys);
  return members > 0 && std::ranges::adjacent_find(keys) == keys.end();
}

std::string ToHex(const TraceId& id) { return fmt::format("{:016x}{:016x}", id.high, id.low); }
std::string ToHex(SpanId id) { return fmt::format("{:016x}", id); }

uint64_t SpanIds::Next() { return Mix(next_.fetch_add(kStep, std::memory_order_relaxed)); }

SpanId SpanIds::NewSpan() {
  const SpanId id = Next();
  return id != 0 ? id : Next();  // One number of all is mixed to 0.
}

TraceId SpanIds::NewTrace() { return {.high = Next(), .low = NewSpan()}; }

SpanId ChildSpan(SpanId span, uint64_t number) {
  const SpanId child = Mix(span + (number + 1) * kStep);
  return child != 0 ? child : 1;
}

}  // namespace omserve::server
