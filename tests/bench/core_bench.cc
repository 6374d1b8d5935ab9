// SPDX-License-Identifier: Apache-2.0
// What the scheduler's decisions cost: host time and allocations per request of the core alone,
// from arrival to retirement, on a device that takes no time.
//
//   build/release/tests/bin/core_bench --benchmark_min_time=1
#include <benchmark/benchmark.h>

#include <chrono>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "scheduler/core.h"
#include "tests/bench/allocation_count.h"
#include "tests/scheduler/core_harness.h"

namespace omserve::scheduler {
namespace {

// Feeds a core and obeys it: everything that was started is done when RunAll comes to it.
class Device final {
 public:
  explicit Device(const Core::Options& options = {}) : core_(options) {}

  const Subgraph* Add(const std::vector<Gears>& buckets,
                      const Core::SubgraphOptions& options = {}) {
    subgraphs_.push_back(
        std::make_unique<Subgraph>(MakeSubgraph(static_cast<int>(subgraphs_.size()), buckets)));
    core_.AddSubgraph(*subgraphs_.back(), options);
    return subgraphs_.back().get();
  }

  void Send(const std::shared_ptr<const Plan>& plan, Instant deadline = Instant::max()) {
    Feed(Arrive{.request = next_request_++,
                .plan = plan,
                .buckets = std::vector<int>(plan->nodes.size(), 0),
                .deadline = deadline});
  }

  void RunAll() {
    while (!pending_.empty()) {
      const Event event = std::move(pending_.front());
      pending_.pop_front();
      Feed(event);
    }
  }

  void Feed(const Event& event) {
    now_ += std::chrono::microseconds(1);
    commands_.clear();
    core_.Handle(event, now_, &commands_);
    for (const Command& command : commands_) {
      if (const auto* launch = std::get_if<Launch>(&command)) {
        pending_.push_back(BatchDone{launch->batch, true, std::chrono::microseconds(100)});
      } else if (const auto* host = std::get_if<StartHostStep>(&command)) {
        pending_.push_back(HostStepDone{host->request, host->node, true});
      }
    }
  }

  RequestId next_request() const { return next_request_; }
  Instant now() const { return now_; }

 private:
  std::vector<std::unique_ptr<Subgraph>> subgraphs_;
  Core core_;
  std::deque<Event> pending_;
  std::vector<Command> commands_;
  RequestId next_request_ = 1;
  Instant now_{std::chrono::hours(1)};
};

// Counts allocations from its creation to Report, which gives time and allocations per request.
class Meter final {
 public:
  explicit Meter(benchmark::State& state) : state_(state), before_(AllocationCount()) {}
  void Report(size_t requests_per_iteration) {
    const size_t requests = requests_per_iteration * static_cast<size_t>(state_.iterations());
    state_.SetItemsProcessed(static_cast<int64_t>(requests));
    state_.counters["allocs/request"] =
        static_cast<double>(AllocationCount() - before_) / static_cast<double>(requests);
  }

 private:
  benchmark::State& state_;
  size_t before_;
};

std::shared_ptr<const Plan> SixSteps(Device& device, const Core::SubgraphOptions& options) {
  const Gears gears = {1, 2, 4, 8};
  const Subgraph* vision = device.Add({gears}, options);
  const Subgraph* text = device.Add({gears}, options);
  const Subgraph* fusion = device.Add({gears}, options);
  // Decode and tokenise on the host, two branches, their join, a label on the host.
  return MakePlan(
      {{nullptr}, {nullptr}, {vision, {0}}, {text, {1}}, {fusion, {2, 3}}, {nullptr, {4}}});
}

// One request at a time: the shortest way through, which a lone client feels.
void SingleStep(benchmark::State& state) {
  Device device;
  const auto plan = MakePlan({{device.Add({{1, 2, 4, 8}})}});
  Meter meter(state);
  for (auto _ : state) {
    device.Send(plan);
    device.RunAll();
  }
  meter.Report(1);
}
BENCHMARK(SingleStep);

void SixStepPipeline(benchmark::State& state) {
  Device device;
  const auto plan = SixSteps(device, {});
  Meter meter(state);
  for (auto _ : state) {
    device.Send(plan);
    device.RunAll();
  }
  meter.Report(1);
}
BENCHMARK(SixStepPipeline);

// `range` requests arrive before the device has done anything: batches are full.
void SingleStepLoaded(benchmark::State& state) {
  Device device;
  const auto plan = MakePlan({{device.Add({{1, 2, 4, 8}})}});
  Meter meter(state);
  for (auto _ : state) {
    for (int64_t i = 0; i < state.range(0); ++i) {
      device.Send(plan, device.now() + std::chrono::hours(1));
    }
    device.RunAll();
  }
  meter.Report(static_cast<size_t>(state.range(0)));
}
BENCHMARK(SingleStepLoaded)->Arg(8)->Arg(64)->Arg(4096);

void SixStepPipelineLoaded(benchmark::State& state) {
  Device device;
  const auto plan = SixSteps(device, {.policy = {.max_delay = std::chrono::milliseconds(1)}});
  Meter meter(state);
  for (auto _ : state) {
    for (int64_t i = 0; i < state.range(0); ++i) {
      device.Send(plan, device.now() + std::chrono::hours(1));
    }
    device.RunAll();
    device.Feed(TimerFired{});
    device.RunAll();
  }
  meter.Report(static_cast<size_t>(state.range(0)));
}
BENCHMARK(SixStepPipelineLoaded)->Arg(64)->Arg(4096);

// A request comes and is cancelled while `range` others wait: the cost of the queues.
void ArriveAndCancelBehind(benchmark::State& state) {
  Device device({.max_rows = 1 << 20});
  const auto plan = MakePlan({{device.Add({{1}})}});
  for (int64_t i = 0; i < state.range(0); ++i) {
    device.Send(plan);
  }
  Meter meter(state);
  for (auto _ : state) {
    const RequestId id = device.next_request();
    device.Send(plan);
    device.Feed(Cancel{id});
  }
  meter.Report(1);
}
BENCHMARK(ArriveAndCancelBehind)->Arg(16)->Arg(1024)->Arg(65536);

// A request is refused for its deadline while `range` others, with deadlines of their own, wait.
void RefuseBehind(benchmark::State& state) {
  Device device({.max_rows = 1 << 20});
  const auto plan = MakePlan({{device.Add({{1}})}});
  device.Send(plan);
  device.RunAll();  // Its cost is known: 100 us.
  for (int64_t i = 0; i < state.range(0); ++i) {
    device.Send(plan, device.now() + std::chrono::hours(1) + std::chrono::milliseconds(i));
  }
  Meter meter(state);
  for (auto _ : state) {
    device.Send(plan, device.now() + std::chrono::microseconds(150));
  }
  meter.Report(1);
}
BENCHMARK(RefuseBehind)->Arg(16)->Arg(1024)->Arg(65536);

// Many models are loaded and one is asked: what the others cost it.
void SingleStepAmongModels(benchmark::State& state) {
  Device device;
  for (int64_t i = 1; i < state.range(0); ++i) {
    device.Add({{1, 2, 4, 8}, {1, 2, 4, 8}});
  }
  const auto plan = MakePlan({{device.Add({{1, 2, 4, 8}})}});
  Meter meter(state);
  for (auto _ : state) {
    device.Send(plan);
    device.RunAll();
  }
  meter.Report(1);
}
BENCHMARK(SingleStepAmongModels)->Arg(1)->Arg(100);

}  // namespace
}  // namespace omserve::scheduler

BENCHMARK_MAIN();
