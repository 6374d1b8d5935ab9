// SPDX-License-Identifier: Apache-2.0
#include "server/core/tracing/trace_settings.h"

#include <catch2/catch.hpp>
#include <string>

#include "server/core/tracing/trace_sampler.h"
#include "server/core/tracing/tracer.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

std::string ErrorOf(const TraceValues& values) {
  return std::string(MessageOf(ReadTraceChange(values).status()));
}

// Triton's words for what cannot be read.
TEST_CASE("Trace settings that are refused", "[trace_settings][1.13]") {
  CHECK(ErrorOf({{"trace_rate", {"x"}}}) == "Unable to parse 'trace_rate', got: x");
  CHECK(ErrorOf({{"trace_rate", {"1x"}}}) == "Unable to parse 'trace_rate', got: 1x");
  CHECK(ErrorOf({{"trace_rate", {"-1"}}}) ==
        "Unable to parse 'trace_rate', value is out of range [ 0, 4294967295 ], got: -1");
  CHECK(ErrorOf({{"log_frequency", {"4294967296"}}}) ==
        "Unable to parse 'log_frequency', value is out of range [ 0, 4294967295 ], got: "
        "4294967296");
  CHECK(ErrorOf({{"trace_count", {"-2"}}}) ==
        "Unable to parse 'trace_count'. Expecting value >= -1, got: -2");
  CHECK(ErrorOf({{"trace_count", {"99999999999999999999"}}}) ==
        "Unable to parse 'trace_count', value is out of range [ -1, 2147483647 ], got: "
        "99999999999999999999");
  CHECK(ErrorOf({{"trace_rate", {"1", "2"}}}) == "expect only 1 value for 'trace_rate'");
  CHECK(ErrorOf({{"trace_level", {"OFF", "TIMESTAMPS"}}}) ==
        "Expect only one trace level 'OFF' is specified");
  CHECK(ErrorOf({{"trace_file", {"f"}}}) ==
        "trace file location can not be updated through network protocol");
  CHECK(ReadTraceChange({{"trace_file", {}}}).status().code() == absl::StatusCode::kUnimplemented);
  CHECK(ReadTraceChange({{"trace_mode", {"triton"}}}).status().code() ==
        absl::StatusCode::kUnimplemented);
  CHECK(ReadTraceChange({{"trace_levels", {}}}).status().code() ==
        absl::StatusCode::kInvalidArgument);
  CHECK(ReadTraceChange({{"trace_level", {"MAX"}}}).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TraceChange Change(const TraceValues& values) { return VALUE(ReadTraceChange(values)); }

// A model has what was set for it, follows the server in the rest, and follows it again when that
// is taken back; the server goes back to its start.
TEST_CASE("Settings are inherited and taken back", "[trace_settings][1.13]") {
  TraceSampler sampler({.level = {.timestamps = true}, .rate = 10});
  CHECK(sampler.is_on());
  sampler.Change("m", Change({{"trace_rate", {"2"}}}));
  sampler.Change("", Change({{"trace_rate", {"5"}}, {"trace_count", {"7"}}}));
  CHECK(sampler.Get("").rate == 5);
  CHECK(sampler.Get("m").rate == 2);
  CHECK(sampler.Get("m").count == 7);
  CHECK(sampler.Get("other").rate == 5);
  sampler.Change("m", Change({{"trace_rate", {}}}));
  CHECK(sampler.Get("m").rate == 5);
  sampler.Change("", Change({{"trace_rate", {}}, {"trace_count", {}}}));
  CHECK(sampler.Get("").rate == 10);
  CHECK(sampler.Get("m").rate == 10);
  CHECK(sampler.Get("").count == -1);
  // Off for all but one.
  sampler.Change("m", Change({{"trace_level", {"TENSORS"}}}));
  sampler.Change("", Change({{"trace_level", {"OFF"}}}));
  CHECK(sampler.is_on());
  CHECK_FALSE(sampler.Next("other", true).traced);
  CHECK(sampler.Next("m", true).traced);
  CHECK(sampler.Next("m", true).tensors);
  sampler.Change("m", Change({{"trace_level", {}}}));
  CHECK_FALSE(sampler.is_on());
}

int CountTraced(TraceSampler& sampler, const std::string& model, int requests,
                std::optional<bool> by_client = std::nullopt) {
  int traced = 0;
  for (int i = 0; i < requests; ++i) {
    traced += sampler.Next(model, by_client).traced ? 1 : 0;
  }
  return traced;
}

// One of so many; the client's decision goes before the rate, and the count before both.
TEST_CASE("Which requests are sampled", "[trace_settings][1.13]") {
  TraceSampler sampler({.level = {.timestamps = true}, .rate = 4});
  CHECK(CountTraced(sampler, "m", 40) == 10);
  CHECK(CountTraced(sampler, "m", 40, true) == 40);
  CHECK(CountTraced(sampler, "m", 40, false) == 0);
  sampler.Change("m", Change({{"trace_rate", {"1"}}, {"trace_count", {"3"}}}));
  CHECK(CountTraced(sampler, "m", 40) == 3);
  CHECK(CountTraced(sampler, "m", 40, true) == 0);
  CHECK(sampler.Get("m").count == 0);
  CHECK(CountTraced(sampler, "other", 40) == 10);
  sampler.Change("", Change({{"trace_rate", {"0"}}}));
  CHECK(CountTraced(sampler, "other", 40) == 0);
  CHECK(CountTraced(sampler, "other", 5, true) == 5);
}

// What a client is told, and the ids that an answer has.
TEST_CASE("A tracer takes its client's context", "[trace_settings]") {
  Tracer tracer({.settings = {.level = {.timestamps = true}, .rate = 1}, .file = "f", .seed = 1},
                nullptr, SteadyClock());
  CHECK(tracer.Values("") == TraceValues{{"log_frequency", {"0"}},
                                         {"trace_count", {"-1"}},
                                         {"trace_file", {"f"}},
                                         {"trace_level", {"TIMESTAMPS"}},
                                         {"trace_mode", {"triton"}},
                                         {"trace_rate", {"1"}}});
  const std::string model = "m";
  const auto begin = [&](const char* traceparent, const char* tracestate) {
    return tracer.Begin({.traceparent = traceparent,
                         .tracestate = tracestate,
                         .protocol = "grpc",
                         .model = model,
                         .version = 1});
  };
  const auto own = begin("", "a=1");
  REQUIRE(own != nullptr);
  CHECK(own->parent == 0);
  CHECK(own->context.state.empty());
  CHECK(own->context.sampled);
  const auto followed = begin("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "a=1");
  CHECK(followed->context.trace == TraceId{0x0af7651916cd43dd, 0x8448eb211c80319c});
  CHECK(followed->parent == 0xb7ad6b7169203331);
  CHECK(followed->context.span != followed->parent);
  CHECK(followed->context.state == "a=1");
  // Its client does not record it: the context goes on, and nothing else.
  const auto passed = begin("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00", "=");
  REQUIRE(passed != nullptr);
  CHECK_FALSE(passed->recorded);
  CHECK_FALSE(passed->context.sampled);
  CHECK(passed->context.state.empty());
  tracer.End(passed, absl::OkStatus());
  CHECK(tracer.counts().recorded == 0);
  tracer.End(followed, absl::OkStatus());
  CHECK(tracer.counts().recorded == 1);
}

// Clients and what failed choose texts of any length; a trace keeps their beginnings, and no part
// of a character.
TEST_CASE("A trace keeps little of long texts", "[trace_settings]") {
  CHECK(KeptText("short") == "short");
  CHECK(KeptText(std::string(256, 'a')) == std::string(256, 'a'));
  CHECK(KeptText(std::string(255, 'a') + "\u00e9") == std::string(255, 'a'));
  CHECK(KeptText(std::string(253, 'a') + "\U0001f600b") == std::string(253, 'a'));
  CHECK(KeptText(std::string(252, 'a') + "\U0001f600b") == std::string(252, 'a') + "\U0001f600");
  Tracer tracer({.settings = {.level = {.timestamps = true}, .rate = 1}, .seed = 1}, nullptr,
                SteadyClock());
  const std::string model = "m";
  const std::string id(100'000, 'i');
  const auto trace = tracer.Begin({.protocol = "grpc", .request_id = id, .model = model});
  REQUIRE(trace != nullptr);
  tracer.End(trace, absl::InternalError(std::string(100'000, 'w')));
  CHECK(trace->request_id == std::string(256, 'i'));
  CHECK(trace->message == std::string(256, 'w'));
}

}  // namespace
}  // namespace omserve::server
