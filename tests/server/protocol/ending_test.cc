// SPDX-License-Identifier: Apache-2.0
// How a request can end, wherever it is: each state of it with each event, through each front end.
// Whatever happens, it is counted once, its memory comes back, and the next request is served.
//
// Cells that are not here:
//
//   received, over REST, and a deadline     its timeout begins when it is whole; what comes too
//                                           slowly before is http_limits_test's
//   answering, over REST, and a deadline    it has met it; what is taken too slowly is as above
//   answering, over REST, and a cancel      its client has no way to say so but to disconnect
//   whole and not admitted                  nothing comes between the two, which are one call on
//                                           one thread, but the beginning of a drain: below
#include <catch2/catch.hpp>
#include <chrono>
#include <memory>
#include <string>

#include "tests/server/protocol/ending_daemon.h"
#include "tests/status_test_util.h"

namespace omserve::server {
namespace {

using std::chrono::milliseconds;

enum class Event { kCancel, kDeadline, kDisconnect, kShutdown };

constexpr Front kFronts[] = {Front::kGrpc, Front::kStream, Front::kRest};
constexpr milliseconds kPatience{60'000};

struct Cell {
  Front front;
  State state;
  Event event;

  std::string Name() const {
    static constexpr const char* kFrontNames[] = {"gRPC", "stream", "REST"};
    static constexpr const char* kStateNames[] = {"received", "queued", "batched", "launched",
                                                  "answering"};
    static constexpr const char* kEventNames[] = {"cancel", "deadline", "disconnect", "shutdown"};
    return std::string(kStateNames[static_cast<int>(state)]) + ", " +
           kEventNames[static_cast<int>(event)] + ", " + kFrontNames[static_cast<int>(front)];
  }
};

// How it ends for a client that is still there.
bool IsExpected(const Cell& cell, End end) {
  switch (cell.event) {
    case Event::kCancel:
      return end == End::kCancelled;
    case Event::kDeadline:
      return end == End::kExpired;
    case Event::kDisconnect:
      return end == End::kDropped;
    case Event::kShutdown:
      return end == (cell.state == State::kReceived ? End::kRefused : End::kAnswered);
  }
  return false;
}

// What is counted of it: nothing before it is whole, and one ending after.
void CheckCounted(const Cell& cell, const Counted& counted) {
  CHECK(counted.sum() == (cell.state == State::kReceived ? 0 : 1));
  if (cell.state == State::kReceived) {
    return;
  }
  if (cell.state == State::kAnswering || cell.event == Event::kShutdown) {
    CHECK(counted.success == 1);
  } else if (cell.event == Event::kDeadline) {
    // The scheduler's clock and gRPC's have the same instant; either may be first.
    CHECK(counted.rejected + (cell.front == Front::kRest ? 0 : counted.cancelled) == 1);
  } else {
    CHECK(counted.cancelled == 1);
  }
}

void AwaitCounted(const EndingDaemon& daemon, double before) {
  const Clock::time_point patience = SteadyClock().Now() + kPatience;
  while (daemon.Count().sum() <= before && SteadyClock().Now() < patience) {
  }
}

// What the daemon has besides, once it is over.
// `counted`: before, and what the requests add that it has not yet.
void CheckNothingIsLeft(EndingDaemon& daemon, Counted counted) {
  const int port = (*daemon).http_port();
  AwaitMetric(port, "nv_pinned_memory_pool_used_bytes", 0);
  AwaitMetric(port, "omserve_requests_in_flight{device=\"0\"}", 0);
  const grpc::Status other = daemon.InferOther();
  INFO(other.error_message());
  CHECK(other.ok());
  ++counted.success;
  CHECK(daemon.Count() == counted);
}

// False: the deadline was there before the request was where it is wanted.
bool TryToEnd(const Cell& cell, milliseconds deadline) {
  EndingDaemon daemon(cell.front, cell.state);
  const int others = daemon.Block();
  const std::unique_ptr<OneCall> caller = daemon.MakeCall(deadline);
  caller->Start();
  if (!daemon.Bring(*caller)) {
    return false;
  }
  if (cell.event == Event::kCancel) {
    caller->Cancel();
  } else if (cell.event == Event::kDisconnect) {
    caller->Disconnect();
  }
  const End end = caller->Wait();
  CHECK(IsExpected(cell, end));
  if (cell.state != State::kReceived) {
    AwaitCounted(daemon, 0);  // While the device still stands.
  }
  Counted counted = daemon.Count();
  CheckCounted(cell, counted);
  daemon.GoOn();
  caller->PassAnswers();  // Of a call that is over. What a dead client's socket holds: grpc.md.
  counted.success += others;
  CheckNothingIsLeft(daemon, counted);
  return true;
}

void CheckEnd(const Cell& cell) {
  INFO(cell.Name());
  if (cell.event != Event::kDeadline) {
    CHECK(TryToEnd(cell, kPatience));
    return;
  }
  // Of a slow machine's time is left what is needed.
  milliseconds deadline{150};
  while (!TryToEnd(cell, deadline)) {
    deadline *= 2;
    REQUIRE(deadline < kPatience);
  }
}

// The daemon ends while the request is there: it is answered first. What is not whole is told that
// it comes too late; see below.
void CheckShutdown(Front front, State state) {
  const Cell cell{front, state, Event::kShutdown};
  INFO(cell.Name());
  EndingDaemon daemon(front, state);
  daemon.HoldDrain();
  const double pinned_bytes = daemon.pinned_bytes();
  const int others = daemon.Block();
  const std::unique_ptr<OneCall> caller = daemon.MakeCall(kPatience);
  caller->Start();
  REQUIRE(daemon.Bring(*caller));
  daemon.BeginStop();
  if (state == State::kAnswering) {
    CHECK(daemon.pinned_bytes() > pinned_bytes);
    caller->PassAnswers();
  } else {
    daemon.GoOn();
  }
  CHECK(IsExpected(cell, caller->Wait()));
  AwaitCounted(daemon, others);
  Counted counted = daemon.Count();
  counted.success -= others;
  CheckCounted(cell, counted);
  AwaitMetric((*daemon).http_port(), "nv_pinned_memory_pool_used_bytes", pinned_bytes);
  counted.success += others;
  CHECK(daemon.Count() == counted);
  REQUIRE_OK(daemon.EndStop());
}

// 36 cells.
TEST_CASE("A request that waits or runs ends once", "[1.14][1.14/cancel][1.14/disconnect][1.15]") {
  for (const Front front : kFronts) {
    for (const State state : {State::kQueued, State::kBatched, State::kLaunched}) {
      for (const Event event : {Event::kCancel, Event::kDeadline, Event::kDisconnect}) {
        CheckEnd({front, state, event});
      }
      CheckShutdown(front, state);
    }
  }
}

// What has not come whole is no request yet: nothing is counted. 8 cells.
TEST_CASE("A request that is being received ends without a trace") {
  for (const Front front : kFronts) {
    for (const Event event : {Event::kCancel, Event::kDeadline, Event::kDisconnect}) {
      if (front != Front::kRest || event != Event::kDeadline) {
        CheckEnd({front, State::kReceived, event});
      }
    }
  }
}

// Nothing of it holds the daemon's end up, and its client is told. 3 cells.
TEST_CASE("A request that is not whole when the daemon ends") {
  for (const Front front : kFronts) {
    const Cell cell{front, State::kReceived, Event::kShutdown};
    INFO(cell.Name());
    EndingDaemon daemon(front, State::kReceived);
    const std::unique_ptr<OneCall> caller = daemon.MakeCall(kPatience);
    caller->Start();
    REQUIRE(daemon.Bring(*caller));
    REQUIRE_OK((*daemon).daemon().Stop());
    CHECK(IsExpected(cell, caller->Wait()));
  }
}

// It is whole when the daemon takes no more: refused, and counted so; but gRPC cancels by itself
// what it has not handed over when its own shutdown begins. 3 cells.
TEST_CASE("A request that becomes whole while the daemon drains") {
  for (const Front front : kFronts) {
    const Cell cell{front, State::kReceived, Event::kShutdown};
    INFO(cell.Name());
    EndingDaemon daemon(front, State::kReceived);
    daemon.HoldDrain();
    const double pinned_bytes = daemon.pinned_bytes();
    const std::unique_ptr<OneCall> caller = daemon.MakeCall(kPatience);
    caller->Start();
    REQUIRE(daemon.Bring(*caller));
    daemon.BeginStop();
    caller->SendRest();
    const End end = caller->Wait();
    CHECK((IsExpected(cell, end) || (front == Front::kGrpc && end == End::kCancelled)));
    const Counted counted = daemon.Count();
    CHECK(counted.sum() == counted.rejected);
    CHECK(counted.rejected == (end == End::kRefused ? 1 : 0));
    CHECK(daemon.pinned_bytes() == pinned_bytes);
    REQUIRE_OK(daemon.EndStop());
  }
}

// It has succeeded, whatever becomes of its client. 7 cells, and 3 of a client that takes the rest
// when the daemon ends.
TEST_CASE("An answer that is not taken") {
  for (const Front front : kFronts) {
    for (const Event event : {Event::kCancel, Event::kDeadline, Event::kDisconnect}) {
      if (front != Front::kRest || event == Event::kDisconnect) {
        CheckEnd({front, State::kAnswering, event});
      }
    }
    CheckShutdown(front, State::kAnswering);
  }
}

// The client's line is slow, so that most of the answer is still to be sent when gRPC is done with
// it. A connection that was told to go would end there, and be reset by what its client says next.
TEST_CASE("A large answer that is made while the daemon ends") {
  for (const Front front : {Front::kGrpc, Front::kStream}) {
    INFO(Cell({front, State::kLaunched, Event::kShutdown}).Name());
    EndingDaemon daemon(front, State::kLaunched, nullptr, Size::kLarge);
    const std::unique_ptr<OneCall> caller = daemon.MakeCall(kPatience);
    caller->Start();
    REQUIRE(daemon.Bring(*caller));
    daemon.BeginStop();
    // Meanwhile others are served, but for those whose answers would be as large.
    CHECK(daemon.InferImage().ok());
    const grpc::Status late = daemon.InferLarge();
    CHECK(late.error_code() == grpc::StatusCode::UNAVAILABLE);
    CHECK(late.error_message() == "the server is shutting down");
    daemon.GoOn();
    CHECK(caller->Wait() == End::kAnswered);
    REQUIRE_OK(daemon.EndStop());
  }
}

// A client that takes nothing does not hold the daemon's end up for ever: gRPC waits for its socket
// as for a client that does not answer a ping.
TEST_CASE("Answers that are not taken when the daemon ends") {
  for (const Front front : kFronts) {
    INFO(Cell({front, State::kAnswering, Event::kShutdown}).Name());
    EndingDaemon daemon(front, State::kAnswering, [](ServerConfig& config) {
      config.mutable_grpc()->set_keepalive_timeout_ms(2000);
    });
    const std::unique_ptr<OneCall> caller = daemon.MakeCall(kPatience);
    caller->Start();
    REQUIRE(daemon.Bring(*caller));
    REQUIRE_OK((*daemon).daemon().Stop());
    caller->Disconnect();
    CHECK(caller->Wait() == End::kDropped);
  }
}

}  // namespace
}  // namespace omserve::server
