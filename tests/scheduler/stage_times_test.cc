// SPDX-License-Identifier: Apache-2.0
// Where a request's time went: exact splits of timelines that are written out.
#include "scheduler/stage_times.h"

#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

using std::chrono::microseconds;

// The device's clock has a start of its own.
constexpr uint64_t kDevice = 5'000'000;

// A device step: launched and done on the host's clock; on the device's, counted from kDevice, its
// copies in, execution and the end of its copies out.
StepStamps OnDevice(int begun, int done, uint64_t input, uint64_t input_end, uint64_t compute,
                    uint64_t compute_end, uint64_t output_end) {
  return {.begun = At(microseconds(begun)),
          .done = At(microseconds(done)),
          .input_start_us = kDevice + input,
          .input_end_us = kDevice + input_end,
          .compute_start_us = kDevice + compute,
          .compute_end_us = kDevice + compute_end,
          .output_end_us = kDevice + output_end};
}

StepStamps OnHost(int start, int end, int done) {
  return {.done = At(microseconds(done)),
          .work_start = At(microseconds(start)),
          .work_end = At(microseconds(end))};
}

RequestSpan Span(int received, int accepted, int answered) {
  return {.received = At(microseconds(received)),
          .accepted = At(microseconds(accepted)),
          .answered = At(microseconds(answered))};
}

// Queue, input, compute, output, overhead, in microseconds; they must sum to the total.
std::vector<int64_t> Split(const Plan& plan, const std::vector<StepStamps>& steps,
                           const RequestSpan& span) {
  const StageTimes times = AttributeStages(plan, steps, span);
  CHECK(times.sum() == times.total);
  CHECK(times.total == span.answered - span.received);
  std::vector<int64_t> us;
  for (const Clock::duration stage : times.stages) {
    us.push_back(std::chrono::duration_cast<microseconds>(stage).count());
  }
  return us;
}

const Subgraph& OnNpu() {
  static const Subgraph subgraph = [] {
    Subgraph made;
    made.shape.buckets = {{.gears = {{.rows = 8}}}};
    return made;
  }();
  return subgraph;
}

std::shared_ptr<const Plan> PlanOf(const std::vector<TestNode>& nodes) { return MakePlan(nodes); }

// One step: it waits in the queue for 100, behind the batch ahead of it on the device for 50.
TEST_CASE("Stages of a single step") {
  const auto plan = PlanOf({{&OnNpu()}});
  CHECK(Split(*plan, {OnDevice(1120, 1600, 10, 30, 80, 380, 400)}, Span(1000, 1020, 1605)) ==
        std::vector<int64_t>{100 + 50, 20, 300, 20, 20 + 90 + 5});
}

// A step that was launched when the host knew the first to be done: the way over the host between
// them is overhead, and the first one's copies out are on the path.
TEST_CASE("Stages of a step after a step") {
  const auto plan = PlanOf({{&OnNpu()}, {&OnNpu(), {0}}});
  CHECK(
      Split(*plan,
            {OnDevice(100, 250, 0, 10, 10, 110, 130), OnDevice(260, 400, 500, 520, 520, 570, 600)},
            Span(90, 95, 410)) ==
      std::vector<int64_t>{5 + 10, 10 + 20, 100 + 50, 20 + 30, 5 + 20 + 40 + 10});
}

// A step launched ahead: it goes on where the first one's computation ended, whatever the first
// still copied to the host. Its own input that was copied meanwhile counts for nothing.
TEST_CASE("Stages of a step that was launched ahead") {
  const auto plan = PlanOf({{&OnNpu()}, {&OnNpu(), {0}}});
  CHECK(Split(*plan,
              {OnDevice(100, 290, 0, 10, 10, 110, 180), OnDevice(101, 300, 5, 112, 115, 165, 190)},
              Span(100, 100, 300)) == std::vector<int64_t>{3, 10 + 2, 100 + 50, 25, 200 - 190});
}

// Two branches: the slower one counts, and the join runs after it. The first branch ends on the
// device at 110, the second at 310.
TEST_CASE("Stages follow the slower branch") {
  const auto plan = PlanOf({{&OnNpu()}, {&OnNpu()}, {&OnNpu(), {0, 1}}});
  CHECK(Split(*plan,
              {OnDevice(0, 150, 0, 10, 10, 110, 111), OnDevice(0, 350, 0, 10, 10, 310, 311),
               OnDevice(0, 420, 1, 310, 310, 400, 410)},
              Span(0, 0, 420)) == std::vector<int64_t>{0, 10, 300 + 90, 10, 10});
}

// A host step waits for a worker, then works; the device step after it is launched at once.
TEST_CASE("Stages of a host step and a device step") {
  const auto plan = PlanOf({{nullptr}, {&OnNpu(), {0}}});
  CHECK(Split(*plan, {OnHost(130, 230, 240), OnDevice(240, 350, 0, 10, 10, 90, 100)},
              Span(100, 110, 352)) == std::vector<int64_t>{20, 10, 100 + 80, 10, 10 + 10 + 10 + 2});
}

// A device that cannot tell: what it had is computation, also of steps that ran ahead.
TEST_CASE("Stages on a device without timestamps") {
  const auto plan = PlanOf({{&OnNpu()}, {&OnNpu(), {0}}});
  const StepStamps first{.begun = At(microseconds(10)), .done = At(microseconds(60))};
  const StepStamps second{.begun = At(microseconds(11)), .done = At(microseconds(100))};
  CHECK(Split(*plan, {first, second}, Span(0, 4, 101)) == std::vector<int64_t>{6, 0, 90, 0, 4 + 1});
}

// A step that did not run, because its output was at hand, takes no time; its followers wait for
// what came before it.
TEST_CASE("Stages pass over a step that did not run") {
  const auto plan = PlanOf({{nullptr}, {&OnNpu(), {0}}, {&OnNpu(), {1}}});
  CHECK(Split(*plan, {OnHost(0, 50, 50), {}, OnDevice(70, 170, 0, 10, 10, 90, 100)},
              Span(0, 0, 170)) == std::vector<int64_t>{20, 10, 50 + 80, 10, 0});
}

// Random graphs on a simulated device, some steps launched ahead: the stages sum to the total, to
// the microsecond.
TEST_CASE("Stages sum to the total, seeded") {
  for (uint32_t seed = 1; seed <= 2000; ++seed) {
    CAPTURE(seed);
    std::mt19937 random(seed);
    const auto up_to = [&random](int most) {
      return static_cast<int>(random() % static_cast<unsigned>(most + 1));
    };
    const int offset = 1000;  // The device's clock against the host's.
    std::vector<TestNode> nodes;
    std::vector<StepStamps> steps;
    int answered = 40;
    for (int n = 0; n <= up_to(5); ++n) {
      TestNode node{.subgraph = up_to(3) == 0 ? nullptr : &OnNpu()};
      int ready = 40;     // When the host knows that all producers are done,
      int on_host = 40;   // and those that are host steps.
      int computed = 40;  // When their outputs are on the device.
      for (int p = 0; p < n; ++p) {
        if (up_to(1) == 0) {
          node.producers.push_back(p);
          const StepStamps& step = steps[static_cast<size_t>(p)];
          const auto done = static_cast<int>(
              std::chrono::duration_cast<microseconds>(step.done.time_since_epoch()).count());
          ready = std::max(ready, done);
          on_host = std::max(on_host, step.timed() ? 40 : done);
          computed = std::max(computed,
                              step.timed() ? static_cast<int>(step.compute_end_us) - offset : done);
        }
      }
      const bool ahead = node.subgraph != nullptr && up_to(1) == 0;
      const int begun = ahead ? std::max(on_host, computed - up_to(20)) : ready + up_to(50);
      if (node.subgraph == nullptr) {
        const int start = ready + up_to(30);
        const int end = start + up_to(100);
        steps.push_back(OnHost(start, end, end + up_to(5)));
      } else {
        const int input = begun + up_to(10);
        const int input_end = std::max(input, computed) + up_to(20);
        const int compute = input_end + up_to(50);
        const int compute_end = compute + up_to(200);
        const int output_end = compute_end + up_to(20);
        StepStamps step = OnDevice(begun, output_end + up_to(9), 0, 0, 0, 0, 0);
        step.input_start_us = static_cast<uint64_t>(input + offset);
        step.input_end_us = static_cast<uint64_t>(input_end + offset);
        step.compute_start_us = static_cast<uint64_t>(compute + offset);
        step.compute_end_us = static_cast<uint64_t>(compute_end + offset);
        step.output_end_us = static_cast<uint64_t>(output_end + offset);
        steps.push_back(step);
      }
      nodes.push_back(std::move(node));
      answered = std::max(answered, static_cast<int>(std::chrono::duration_cast<microseconds>(
                                                         steps.back().done.time_since_epoch())
                                                         .count()));
    }
    const StageTimes times =
        AttributeStages(*PlanOf(nodes), steps, Span(0, 40, answered + up_to(5)));
    REQUIRE(times.sum() == times.total);
  }
}

}  // namespace
}  // namespace omserve::scheduler
