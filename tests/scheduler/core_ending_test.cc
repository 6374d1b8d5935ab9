// SPDX-License-Identifier: Apache-2.0
// How requests end otherwise than well: failure, cancellation, deadline, refusal, drain.
#include <catch2/catch.hpp>
#include <chrono>

#include "scheduler/core.h"
#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

using std::chrono::milliseconds;

// A failed batch fails every request in it, and only those.
TEST_CASE("A failed batch fails its requests") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{2, 4}})}});
  core.Arrive(1, plan, {.rows = 2});
  core.Arrive(2, plan);
  core.Arrive(3, plan);
  core.Done(1);  // b2 holds requests 2 and 3.
  core.Arrive(4, plan);
  CHECK(core.Done(2, false) == Lines{"respond r2 failed", "retire r2", "respond r3 failed",
                                     "retire r3", "release b2",
                                     "b3 = s0.0 lane 0: r4.0x1, gear 2, idle"});
  CHECK(core.Done(3) == Lines{"respond r4 ok", "retire r4", "release b3"});
}

// The step after a failed one is on the device already: the answer goes out, the memory stays.
TEST_CASE("A failed request is retired when its last batch is done") {
  CoreHarness core;
  const auto* first = core.Add({{1}});
  const auto* second = core.Add({{1}});
  const auto plan = MakePlan({{first}, {second, {0}}});
  core.Arrive(1, plan);
  CHECK(core.Done(1, false) == Lines{"respond r1 failed"});
  CHECK(core.core().request_count() == 1);
  CHECK(core.Done(2, false) == Lines{"release b1", "retire r1", "release b2"});
  CHECK(core.core().idle());
}

// The step after a failed one had not left: it never does.
TEST_CASE("Nothing follows a failed step") {
  CoreHarness core({.batches_per_lane = 1});
  const auto* first = core.Add({{1}});
  const auto* second = core.Add({{1}});
  const auto second_only = MakePlan({{second}});
  const auto plan = MakePlan({{first}, {second, {0}}});
  core.Arrive(1, second_only);
  core.Arrive(2, plan);
  CHECK(core.core().queued_rows(1) == 1);
  CHECK(core.Done(2, false) == Lines{"respond r2 failed", "retire r2", "release b2"});
  CHECK(core.core().queued_rows(1) == 0);
  CHECK(core.Done(1) == Lines{"respond r1 ok", "retire r1", "release b1"});
}

// A host step fails: the request ends, and the branch that runs meanwhile is waited for.
TEST_CASE("A failed host step fails its request") {
  CoreHarness core;
  const auto* model = core.Add({{1}});
  const auto plan = MakePlan({{nullptr}, {model}});
  core.Arrive(1, plan);
  CHECK(core.HostDone(1, 0, false) == Lines{"respond r1 failed"});
  CHECK(core.Done(1) == Lines{"retire r1", "release b1"});
}

// A queued request is cancelled: it leaves the queue and never runs.
TEST_CASE("A queued request is cancelled at once") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4}})}});
  core.Arrive(1, plan);
  core.Arrive(2, plan);
  core.Arrive(3, plan);
  CHECK(core.Cancel(2) == Lines{"respond r2 cancelled", "retire r2"});
  CHECK(core.Done(1).back() == "b2 = s0.0 lane 0: r3.0x1, gear 1, idle");
}

// The oldest waiting row is cancelled: the delay of the next one counts from then on.
TEST_CASE("A cancelled row no longer sets the delay") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4}}, {.policy = {.max_delay = milliseconds(5)}})}});
  CHECK(core.Arrive(1, plan) == Lines{"timer 5000us"});
  core.SetTime(milliseconds(2));
  core.Arrive(2, plan);
  CHECK(core.Cancel(1) == Lines{"respond r1 cancelled", "retire r1", "timer 7000us"});
  core.SetTime(milliseconds(7));
  CHECK(core.Timer() == Lines{"b1 = s0.0 lane 0: r2.0x1, gear 1, delay"});
}

// A running request is cancelled: the answer goes out at once, its memory is kept until the batch
// is done, and the batch's other request is served.
TEST_CASE("A running request is cancelled and retired later") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{2}})}});
  core.Arrive(1, plan, {.rows = 2});
  core.Arrive(2, plan);
  core.Arrive(3, plan);
  CHECK(core.Cancel(2) == Lines{"respond r2 cancelled"});
  CHECK(core.Cancel(2).empty());
  core.Done(1);
  CHECK(core.Done(2) == Lines{"retire r2", "respond r3 ok", "retire r3", "release b2"});
}

// A step waits, launched ahead of its inputs, when its request is cancelled: the producer's outputs
// are not kept for it.
TEST_CASE("A step queued ahead is cancelled") {
  CoreHarness core({.batches_per_lane = 1});
  const auto* first = core.Add({{1}});
  const auto* second = core.Add({{1}});
  core.Arrive(1, MakePlan({{second}}));
  core.Arrive(2, MakePlan({{first}, {second, {0}}}));
  CHECK(core.Cancel(2) == Lines{"respond r2 cancelled"});
  CHECK(core.Done(2) == Lines{"retire r2", "release b2"});
}

// A cancel meets a request that was answered, or was never seen: nothing happens.
TEST_CASE("A late or unknown cancel is harmless") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}})}});
  core.Arrive(1, plan);
  core.Done(1);
  CHECK(core.Cancel(1).empty());
  CHECK(core.Cancel(77).empty());
}

// A deadline passes in the queue: the timer was armed for it, and the row never runs.
TEST_CASE("A deadline ends a queued request by the timer") {
  CoreHarness core({.batches_per_lane = 1});
  const auto plan = MakePlan({{core.Add({{1}})}});
  core.Arrive(1, plan);
  CHECK(core.Arrive(2, plan, {.deadline = At(milliseconds(7))}) == Lines{"timer 7000us"});
  core.SetTime(milliseconds(7));
  CHECK(core.Timer() == Lines{"respond r2 deadline", "retire r2"});
  CHECK(core.Done(1) == Lines{"respond r1 ok", "retire r1", "release b1"});
}

// The lane falls free at the very instant of the deadline: the row is too late, whatever event
// brings the news.
TEST_CASE("Nothing is launched at its deadline") {
  CoreHarness core({.batches_per_lane = 1});
  const auto plan = MakePlan({{core.Add({{1}})}});
  core.Arrive(1, plan);
  core.Arrive(2, plan, {.deadline = At(milliseconds(7))});
  core.SetTime(milliseconds(7));
  CHECK(core.Done(1) == Lines{"respond r2 deadline", "retire r2", "respond r1 ok", "retire r1",
                              "release b1", "timer off"});
}

// A deadline passes while the batch runs: the client hears of it at once.
TEST_CASE("A deadline ends a running request") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}})}});
  CHECK(core.Arrive(1, plan, {.deadline = At(milliseconds(7))}).back() == "timer 7000us");
  core.SetTime(milliseconds(9));
  CHECK(core.Timer() == Lines{"respond r1 deadline"});
  CHECK(core.Done(1) == Lines{"retire r1", "release b1"});
}

// A request arrives with its deadline behind it: refused, nothing runs.
TEST_CASE("A deadline in the past is refused on arrival") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}})}});
  core.SetTime(milliseconds(5));
  CHECK(core.Arrive(1, plan, {.deadline = At(milliseconds(5))}) ==
        Lines{"respond r1 refused DEADLINE_PASSED", "retire r1"});
}

// An answered request's deadline is forgotten: the timer is taken back.
TEST_CASE("The timer is off when nothing is due") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1}})}});
  core.Arrive(1, plan, {.deadline = At(milliseconds(7))});
  CHECK(core.Done(1).back() == "timer off");
}

// The core holds as many requests as it may: one more is refused, and room is made by retirement.
TEST_CASE("Requests beyond the limit are refused") {
  CoreHarness core({.max_rows = 2});
  const auto plan = MakePlan({{core.Add({{1}})}});
  core.Arrive(1, plan);
  core.Arrive(2, plan);
  CHECK(core.Arrive(3, plan) == Lines{"respond r3 refused QUEUE_ROWS", "retire r3"});
  CHECK(core.core().request_count() == 2);
  core.Done(1);
  CHECK(core.Arrive(4, plan).front() == "b3 = s0.0 lane 0: r4.0x1, gear 1, full");
}

// A subgraph's own bound counts rows that wait, not those that run.
TEST_CASE("Rows beyond a subgraph's queue are refused") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 8}}, {.max_queue_rows = 3})}});
  core.Arrive(1, plan);
  CHECK(core.Arrive(2, plan, {.rows = 3}).empty());
  CHECK(core.Arrive(3, plan) == Lines{"respond r3 refused QUEUE_ROWS", "retire r3"});
  core.Done(1);
  CHECK(core.Arrive(4, plan, {.rows = 4}) == Lines{"respond r4 refused QUEUE_ROWS", "retire r4"});
  CHECK(core.Arrive(5, plan).empty());
}

// Any step's full queue refuses the whole pipeline, before its first step runs.
TEST_CASE("A pipeline is refused when one of its queues is full") {
  CoreHarness core;
  const auto* first = core.Add({{1}});
  const auto* second = core.Add({{1, 8}}, {.max_queue_rows = 1});
  core.Arrive(1, MakePlan({{second}}));
  core.Arrive(2, MakePlan({{second}}));
  CHECK(core.Arrive(3, MakePlan({{first}, {second, {0}}})) ==
        Lines{"respond r3 refused QUEUE_ROWS", "retire r3"});
}

// A drain: what waits leaves without its delay, what comes is refused, what runs is finished.
TEST_CASE("A drain finishes what was accepted") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4}}, {.policy = {.max_delay = milliseconds(5)}})}});
  core.Arrive(1, plan);
  CHECK(core.Drain() == Lines{"b1 = s0.0 lane 0: r1.0x1, gear 1, drain", "timer off"});
  CHECK(core.Arrive(2, plan) == Lines{"respond r2 refused DRAINING", "retire r2"});
  CHECK(core.Drain().empty());
  CHECK(core.Done(1) == Lines{"respond r1 ok", "retire r1", "release b1"});
  CHECK(core.core().idle());
}

// What waits leaves without its delay, and so does what comes.
TEST_CASE("Who hurries waits for no company, and takes requests") {
  CoreHarness core;
  const auto plan = MakePlan({{core.Add({{1, 4}}, {.policy = {.max_delay = milliseconds(5)}})}});
  core.Arrive(1, plan);
  CHECK(core.Hurry() == Lines{"b1 = s0.0 lane 0: r1.0x1, gear 1, drain", "timer off"});
  CHECK(core.Done(1) == Lines{"respond r1 ok", "retire r1", "release b1"});
  CHECK(core.Arrive(2, plan) == Lines{"b2 = s0.0 lane 0: r2.0x1, gear 1, drain"});
  CHECK(core.Hurry().empty());
  CHECK(core.Drain().empty());
  CHECK(core.Done(2) == Lines{"respond r2 ok", "retire r2", "release b2"});
  CHECK(core.core().idle());
}

// During a drain the later steps of accepted requests still run.
TEST_CASE("A drain lets pipelines run to their end") {
  CoreHarness core;
  const auto* model = core.Add({{1}});
  const auto plan = MakePlan({{nullptr}, {model, {0}}});
  core.Arrive(1, plan);
  CHECK(core.Drain().empty());
  CHECK(core.HostDone(1, 0) == Lines{"b1 = s0.0 lane 0: r1.1x1, gear 1, full"});
  CHECK(core.Done(1) == Lines{"respond r1 ok", "retire r1", "release b1"});
}

// A request is cancelled, fails and passes its deadline at once: it is answered once.
TEST_CASE("A request is answered once whatever happens to it") {
  CoreHarness core;
  const auto* first = core.Add({{1}});
  const auto* second = core.Add({{1}});
  const auto plan = MakePlan({{first}, {second, {0}}});
  core.Arrive(1, plan, {.deadline = At(milliseconds(5))});
  CHECK(core.Cancel(1) == Lines{"respond r1 cancelled", "timer off"});
  core.SetTime(milliseconds(6));
  CHECK(core.Timer().empty());
  CHECK(core.Done(1, false).empty());
  CHECK(core.Done(2) == Lines{"release b1", "retire r1", "release b2"});
}

}  // namespace
}  // namespace omserve::scheduler
