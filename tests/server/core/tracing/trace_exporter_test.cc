// SPDX-License-Identifier: Apache-2.0
#include "server/core/tracing/trace_exporter.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <functional>
#include <memory>
#include <stop_token>
#include <thread>
#include <vector>

#include "runtime/base/errors.h"
#include "tests/scheduler/fake_clock.h"
#include "tests/server/core/tracing/traces.h"

namespace omserve::server {
namespace {

// Models whose traces the sink can never take just now; it says so at once, or when it has to
// hurry.
constexpr char kAway[] = "away";
constexpr char kSlow[] = "slow";

// Does what it was told to, and can be waited for.
struct Script {
  Mutex mu;
  CondVar changed;
  std::vector<absl::Status> answers ABSL_GUARDED_BY(mu);  // Of the next calls; then OK.
  std::vector<size_t> batches ABSL_GUARDED_BY(mu);        // Sizes that were brought.
  bool closed ABSL_GUARDED_BY(mu) = false;

  void AwaitBatches(size_t count) {
    const MutexLock lock(mu);
    while (batches.size() < count) {
      changed.Wait(mu);
    }
  }
  std::vector<size_t> Sizes() {
    const MutexLock lock(mu);
    return batches;
  }
};

class ScriptedSink final : public TraceSink {
 public:
  explicit ScriptedSink(Script& script) : script_(script) {}
  absl::Status Write(std::span<const RequestTraceHandle> traces,
                     const std::stop_token& hurry) override {
    const MutexLock lock(script_.mu);
    script_.batches.push_back(traces.size());
    script_.changed.NotifyAll();
    while (traces.front()->model == kSlow && !hurry.stop_requested()) {
      SteadyClock().WaitUntil(script_.changed, script_.mu,
                              SteadyClock().Now() + std::chrono::milliseconds(1));
    }
    if (traces.front()->model != "m") {
      return Unavailable("away");
    }
    if (script_.answers.empty()) {
      return absl::OkStatus();
    }
    const absl::Status answer = script_.answers.front();
    script_.answers.erase(script_.answers.begin());
    return answer;
  }
  absl::Status Close() override {
    const MutexLock lock(script_.mu);
    script_.closed = true;
    return absl::OkStatus();
  }

 private:
  Script& script_;
};

// Tests turn the clock ahead of an exporter that is slow to look at it: by default it never gives
// up.
struct Bench {
  explicit Bench(std::vector<absl::Status> answers = {},
                 Clock::duration longest_retry = std::chrono::hours(24 * 365))
      : exporter(std::make_unique<ScriptedSink>(script), clock,
                 {.most_waiting = 8, .most_in_batch = 4, .longest_retry = longest_retry}) {
    const MutexLock lock(script.mu);
    script.answers = std::move(answers);
  }
  void Add(int count, const char* model = "m") {
    for (int i = 0; i < count; ++i) {
      exporter.Add(Request(model, 1, 0, 1));
    }
  }

  FakeClock clock;
  Script script;
  TraceExporter exporter;
};

// A full batch leaves at once, the rest when its time is over, and what waits at the end too.
TEST_CASE("Traces leave in batches", "[trace_exporter]") {
  Bench bench;
  bench.Add(4);
  bench.script.AwaitBatches(1);
  bench.Add(2);
  CHECK(bench.script.Sizes() == std::vector<size_t>{4});
  bench.clock.Advance(std::chrono::seconds(1));
  bench.script.AwaitBatches(2);
  bench.Add(1);
  bench.exporter.Stop();
  CHECK(bench.script.Sizes() == std::vector<size_t>{4, 2, 1});
  CHECK(bench.exporter.counts().written == 7);
  CHECK(bench.exporter.counts().waiting == 0);
  const MutexLock lock(bench.script.mu);
  CHECK(bench.script.closed);
}

// While the sink cannot take them a bounded number waits; the others are counted as lost.
TEST_CASE("Traces are tried again, and memory is bounded", "[trace_exporter]") {
  Bench bench({Unavailable("down"), Unavailable("down")});
  bench.Add(4);
  bench.script.AwaitBatches(1);
  bench.Add(10);  // The first four are on their way; eight wait.
  CHECK(bench.exporter.counts().dropped_full == 2);
  CHECK(bench.exporter.counts().waiting == 8);
  while (bench.script.Sizes().size() < 3) {
    std::this_thread::yield();
    bench.clock.Advance(std::chrono::seconds(1));
  }
  bench.exporter.Stop();
  const TraceExporter::Counts counts = bench.exporter.counts();
  CHECK(counts.failures == 2);
  CHECK(counts.written == 12);
  bench.Add(1);
  CHECK(bench.exporter.counts().dropped_stopped == 1);
}

// What the sink will never take is dropped, and the next ones go on.
TEST_CASE("Traces that are refused are dropped", "[trace_exporter]") {
  Bench bench({InvalidArgument("no")});
  bench.Add(4);
  bench.script.AwaitBatches(1);
  bench.Add(4);
  bench.script.AwaitBatches(2);
  bench.exporter.Stop();
  CHECK(bench.exporter.counts().dropped_refused == 4);
  CHECK(bench.exporter.counts().written == 4);
}

// A sink that cannot take a batch for minutes does not stop the next ones for ever.
TEST_CASE("Traces are not tried for ever", "[trace_exporter]") {
  Bench bench({}, std::chrono::minutes(5));
  bench.Add(4, kAway);
  bench.Add(4);
  while (bench.exporter.counts().written < 4) {
    std::this_thread::yield();
    bench.clock.Advance(std::chrono::seconds(1));
  }
  CHECK(bench.exporter.counts().failures > 0);
  CHECK(bench.exporter.counts().dropped_refused == 4);
}

// The end does not wait for a sink that is away: one more attempt, for all that waits.
TEST_CASE("The end does not wait for a sink that is away", "[trace_exporter]") {
  Bench bench;
  bench.Add(8, kAway);
  bench.script.AwaitBatches(1);
  bench.exporter.Stop();
  CHECK(bench.script.Sizes().size() <= 2);
  CHECK(bench.exporter.counts().dropped_stopped == 8);
  CHECK(bench.exporter.counts().written == 0);
}

// Nor for a sink that does not answer: its last attempt is ended.
TEST_CASE("The end does not wait for a sink that is slow", "[trace_exporter]") {
  Bench bench;
  bench.Add(8, kSlow);
  bench.script.AwaitBatches(1);
  std::atomic<bool> stopped = false;
  const std::jthread stops([&] {
    bench.exporter.Stop();
    stopped = true;
  });
  while (!stopped) {
    std::this_thread::yield();
    bench.clock.Advance(std::chrono::seconds(1));
  }
  CHECK(bench.script.Sizes() == std::vector<size_t>{4});
  CHECK(bench.exporter.counts().dropped_stopped == 8);
}

}  // namespace
}  // namespace omserve::server
