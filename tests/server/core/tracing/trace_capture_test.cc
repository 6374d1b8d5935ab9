// SPDX-License-Identifier: Apache-2.0
#include "server/core/tracing/trace_capture.h"

#include <catch2/catch.hpp>
#include <future>

#include "tests/scheduler/fake_clock.h"
#include "tests/server/core/tracing/traces.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using std::chrono::seconds;

// What is answered within the time is in it; the newest, where there is more than is kept.
TEST_CASE("A capture keeps the newest", "[trace_capture]") {
  FakeClock clock;
  TraceCapture capture(clock, 2);
  CHECK_FALSE(capture.is_on());
  capture.Add(Request("before", 1, 0, 1));
  std::promise<Captured> done;
  REQUIRE_OK(capture.Start(seconds(5), [&](Captured captured) { done.set_value(captured); }));
  CHECK(capture.is_on());
  CHECK(capture.Start(seconds(5), [](const Captured& /*captured*/) {}).status().code() ==
        absl::StatusCode::kUnavailable);
  for (const char* model : {"a", "b", "c"}) {
    capture.Add(Request(model, 1, 0, 1));
  }
  clock.Advance(seconds(5));
  const Captured captured = done.get_future().get();
  CHECK_FALSE(capture.is_on());
  REQUIRE(captured.requests.size() == 2);
  CHECK(captured.requests[0]->model == "b");
  CHECK(captured.dropped == 1);
  CHECK(capture.dropped_count() == 1);
  CHECK(captured.ended - captured.begun == seconds(5));
}

// Who waits for it has left, and somebody else asks; at the end whoever waits is told at once.
TEST_CASE("A capture that is ended before its time", "[trace_capture]") {
  FakeClock clock;
  TraceCapture capture(clock, 2);
  std::promise<void> first;
  const TraceCapture::Id id =
      VALUE(capture.Start(seconds(5), [&](const Captured& /*captured*/) { first.set_value(); }));
  capture.Cancel(id);
  first.get_future().wait();
  std::promise<void> second;
  // The first one's thread may still be on its way out.
  while (!capture.Start(seconds(5), [&](const Captured& /*c*/) { second.set_value(); }).ok()) {
    std::this_thread::yield();
  }
  capture.Cancel(id);  // Of one that is over: no harm.
  CHECK(capture.is_on());
  capture.Stop();
  second.get_future().wait();
  CHECK(capture.Start(seconds(5), nullptr).status().code() == absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace omserve::server
