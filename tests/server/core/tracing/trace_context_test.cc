// SPDX-License-Identifier: Apache-2.0
#include "server/core/tracing/trace_context.h"

#include <catch2/catch.hpp>
#include <random>
#include <regex>
#include <set>
#include <string>

namespace omserve::server {
namespace {

constexpr char kExample[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

// What the standard says, said another way.
bool IsTraceparent(const std::string& text) {
  static const std::regex kShape("([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?");
  std::smatch parts;
  return std::regex_match(text, parts, kShape) && parts[1] != "ff" &&
         parts[2] != std::string(32, '0') && parts[3] != std::string(16, '0') &&
         (parts[1] != "00" || parts[4].length() == 0);
}

TEST_CASE("traceparent: the standard's example", "[trace_context]") {
  const std::optional<TraceContext> context = ParseTraceparent(kExample);
  REQUIRE(context.has_value());
  CHECK(context->trace == TraceId{0x0af7651916cd43dd, 0x8448eb211c80319c});
  CHECK(context->span == 0xb7ad6b7169203331);
  CHECK(context->sampled);
  CHECK(FormatTraceparent(*context) == kExample);
}

TEST_CASE("traceparent: what the standard passes over", "[trace_context]") {
  const std::string ids = "-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-";
  for (const std::string& text :
       {std::string(), std::string("00"), "ff" + ids + "01", "00" + ids + "1", "00" + ids + "01-",
        "00" + ids + "0x", "0A" + ids + "01", "00" + ids + "01,00" + ids + "01",
        std::string("00-00000000000000000000000000000000-b7ad6b7169203331-01"),
        std::string("00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"),
        std::string("00-0AF7651916CD43DD8448EB211C80319C-b7ad6b7169203331-01")}) {
    INFO(text);
    CHECK_FALSE(ParseTraceparent(text).has_value());
  }
  // Later versions may say more, and flags that are not known are no harm.
  CHECK(ParseTraceparent("01" + ids + "01-more").has_value());
  CHECK_FALSE(ParseTraceparent("01" + ids + "01more").has_value());
  CHECK_FALSE(ParseTraceparent("00" + ids + "fe")->sampled);
  CHECK(ParseTraceparent("00" + ids + "ff")->sampled);
}

// Whatever is changed in a header, it is read exactly where the standard takes it; and what is read
// is written as it was.
TEST_CASE("traceparent: any damage", "[trace_context]") {
  std::mt19937_64 random(20261126);  // NOLINT: the same each time.
  constexpr std::string_view kCharacters = "0123456789abcdefABCDEFg-, \t\0f";
  for (int round = 0; round < 20'000; ++round) {
    std::string text = FormatTraceparent(
        {.trace = {random(), random()}, .span = random(), .sampled = random() % 2 == 0});
    for (uint64_t edits = random() % 4; edits > 0; --edits) {
      const size_t at = random() % (text.size() + 1);
      const char c = kCharacters[random() % kCharacters.size()];
      switch (random() % 3) {
        case 0:
          text.insert(text.begin() + static_cast<std::ptrdiff_t>(at), c);
          break;
        case 1:
          if (at < text.size()) {
            text.erase(at, 1);
          }
          break;
        default:
          if (at < text.size()) {
            text[at] = c;
          }
      }
    }
    INFO(text);
    const std::optional<TraceContext> read = ParseTraceparent(text);
    REQUIRE(read.has_value() == IsTraceparent(text));
    if (read.has_value()) {
      CHECK(FormatTraceparent(*read).substr(3, 49) == text.substr(3, 49));
    }
  }
}

TEST_CASE("tracestate is taken whole or not at all", "[trace_context]") {
  CHECK(IsTracestate("a=1"));
  CHECK(IsTracestate("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"));
  CHECK(IsTracestate(" a=1 ,, b@c=2 "));
  CHECK(IsTracestate("0vendor/x*y_z-@q=a b"));
  for (const char* text : {"", ",", "a", "=1", "a=", "A=1", "a=1,a=2", "a=b=c", "a=\x01", "@a=1"}) {
    INFO(text);
    CHECK_FALSE(IsTracestate(text));
  }
  std::string many = "k0=1";
  for (int i = 1; i < 32; ++i) {
    many += ",k" + std::to_string(i) + "=1";
  }
  CHECK(IsTracestate(many));
  CHECK_FALSE(IsTracestate(many + ",k32=1"));
  CHECK_FALSE(IsTracestate("a=" + std::string(257, 'x')));
}

TEST_CASE("Ids are new, and those of children follow from their parent's", "[trace_context]") {
  SpanIds ids(0);
  std::set<SpanId> seen;
  for (int i = 0; i < 10'000; ++i) {
    const SpanId id = ids.NewSpan();
    CHECK(id != 0);
    seen.insert(id);
  }
  CHECK(seen.size() == 10'000);
  CHECK_FALSE(ids.NewTrace() == ids.NewTrace());
  CHECK(ChildSpan(5, 1) == ChildSpan(5, 1));
  CHECK(ChildSpan(5, 1) != ChildSpan(5, 2));
  CHECK(ChildSpan(6, 1) != ChildSpan(5, 1));
}

}  // namespace
}  // namespace omserve::server
