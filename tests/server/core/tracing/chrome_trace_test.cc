// SPDX-License-Identifier: Apache-2.0
#include "server/core/tracing/chrome_trace.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <set>

#include "tests/server/core/tracing/chrome_checker.h"
#include "tests/server/core/tracing/traces.h"

namespace omserve::server {
namespace {

ChromeTrace Checked(const Captured& captured) {
  const std::string text = ChromeTraceJson(captured);
  ChromeTrace trace = CheckChromeTrace(text);
  INFO(text.substr(0, 4000));
  CHECK(trace.errors == std::vector<std::string>());
  return trace;
}

size_t CountSlices(const ChromeTrace& trace, const std::string& track) {
  return static_cast<size_t>(
      std::count_if(trace.slices.begin(), trace.slices.end(),
                    [&](const ChromeSlice& slice) { return slice.track == track; }));
}

// Nothing was asked in the time: a picture of nothing, and right.
TEST_CASE("A capture without requests", "[chrome_trace]") {
  CHECK(Checked({.begun = AtUs(0), .ended = AtUs(1000)}).slices.empty());
}

// Two requests in one batch: it stands once on the lane and once on the stream, with an arrow from
// each request; copies have tracks of their own.
TEST_CASE("A batch stands once, whoever tells of it", "[chrome_trace]") {
  Captured captured{.begun = AtUs(2000), .ended = AtUs(9000)};
  for (const SpanId span : {SpanId{1}, SpanId{2}}) {
    auto request = Request("text", span, 3000, 4000);
    request->steps = {DeviceStep("text", 5, 3010, 3100, 3900)};
    captured.requests.push_back(request);
  }
  const ChromeTrace trace = Checked(captured);
  CHECK(trace.flows == 2);
  CHECK(CountSlices(trace, "requests") == 1);
  CHECK(CountSlices(trace, "requests (2)") == 1);
  CHECK(CountSlices(trace, "text lane 0 batches") == 1);
  CHECK(CountSlices(trace, "text lane 0 copies in") == 1);
  CHECK(CountSlices(trace, "text lane 0 copies out") == 1);
  REQUIRE(CountSlices(trace, "text lane 0 stream 7") == 1);
  const auto compute = std::find_if(trace.slices.begin(), trace.slices.end(), [](const auto& s) {
    return s.track == "text lane 0 stream 7";
  });
  CHECK(compute->process == "device 0");
  // The device's end is taken as the host's knowledge of it: the best that is known.
  CHECK(compute->end_us - compute->begin_us == Approx(760));
  CHECK(compute->end_us == Approx(3900 - 10 - 2000));
}

// Names that JSON has to escape, a request that failed, a host step, kept outputs, a device that
// tells no times.
TEST_CASE("Everything that a request can be", "[chrome_trace]") {
  auto request = Request("a\"b\\c\n", 1, 3000, 5000);
  request->code = absl::StatusCode::kInternal;
  request->message = "it \"broke\"";
  request->request_id = "\x01";
  scheduler::StepTrace untimed = DeviceStep("text", 1, 3000, 3200, 3600);
  untimed.output_end_us = 0;
  request->steps = {
      {.step = "decode", .ready = AtUs(3000), .begun = AtUs(3010), .done = AtUs(3100)},
      {.step = "kept", .model = "text", .reason = "cached"},
      untimed};
  const ChromeTrace trace =
      Checked({.begun = AtUs(2000), .ended = AtUs(9000), .requests = {request}});
  CHECK(trace.flows == 2);
  CHECK(CountSlices(trace, "host steps") == 1);
}

// Any requests over any lanes: right, with an arrow for each step that ran.
TEST_CASE("Random captures are right", "[chrome_trace]") {
  std::mt19937 random(20261126);  // NOLINT: the same each time.
  const auto below = [&random](int64_t n) {
    return static_cast<int64_t>(random() % static_cast<uint64_t>(n));
  };
  for (int round = 0; round < 50; ++round) {
    Captured captured{.begun = AtUs(2000), .ended = AtUs(100'000)};
    int steps = 0;
    for (int r = 0; r < 40; ++r) {
      const int64_t received = 1990 + below(50'000);
      auto request = Request("m", static_cast<SpanId>(r + 1), received, received + 5000);
      int64_t at = received;
      for (int64_t s = below(4); s > 0; --s) {
        const int64_t begun = at + below(300);
        const int64_t done = begun + 50 + below(900);
        auto step = DeviceStep("m" + std::to_string(below(3)), static_cast<uint64_t>(steps + 1), at,
                               begun, done);
        step.device = static_cast<int>(below(2));
        step.lane = static_cast<int>(below(2));
        request->steps.push_back(step);
        at = done;
        ++steps;
      }
      captured.requests.push_back(request);
    }
    CHECK(Checked(captured).flows == steps);
  }
}

// The checker finds what it is for.
TEST_CASE("What is wrong is found", "[chrome_trace]") {
  const auto errors = [](const std::string& events) {
    const std::string names =
        R"({"ph":"M","pid":1,"tid":1,"name":"thread_name","args":{"name":"t"}},)"
        R"({"ph":"M","pid":1,"tid":0,"name":"process_name","args":{"name":"p"}})";
    return CheckChromeTrace("{\"traceEvents\":[" + names + events + "]}").errors.size();
  };
  const std::string slice = R"(,{"ph":"X","pid":1,"tid":1,"name":"a","ts":1,"dur":2})";
  CHECK(errors(slice) == 0);
  CHECK(errors(slice + slice) == 1);                                               // Overlap.
  CHECK(errors(R"(,{"ph":"X","pid":1,"tid":2,"name":"a","ts":1,"dur":2})") == 1);  // No name.
  CHECK(errors(R"(,{"ph":"X","pid":1,"tid":1,"name":"a","ts":1})") == 1);          // No end.
  const std::string start = R"(,{"ph":"s","cat":"c","pid":1,"tid":1,"name":"a","id":4,"ts":2})";
  CHECK(errors(slice + start) == 1);  // An arrow without a head.
  CHECK(errors(slice + start +
               R"(,{"ph":"f","bp":"e","cat":"c","pid":1,"tid":1,"name":"a","id":4,"ts":3})") == 0);
  CHECK(errors(slice + start +
               R"(,{"ph":"f","bp":"e","cat":"c","pid":1,"tid":1,"name":"a","id":4,"ts":9})") == 1);
  CHECK(CheckChromeTrace("[").errors.size() == 1);
}

}  // namespace
}  // namespace omserve::server
