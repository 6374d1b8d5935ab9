// SPDX-License-Identifier: Apache-2.0
// What a request costs below the front end: dispatcher, engine, core and lanes on the CPU device,
// with models that take no time to speak of. Allocations are those of all threads but the one that
// makes the requests, in the device's library too; there must be few, and none of device memory.
//
//   build/release/tests/bin/engine_bench --benchmark_min_time=1
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <map>
#include <memory>

#include "runtime/base/clock.h"
#include "runtime/base/errors.h"
#include "runtime/base/mutex.h"
#include "tests/bench/allocation_count.h"
#include "tests/bench/scheduler_rig.h"

namespace omserve::bench {
namespace {

template <typename T>
T Value(absl::StatusOr<T> value) {
  if (!value.ok()) {
    fmt::print(stderr, "{}\n", MessageOf(value.status()));
    std::abort();
  }
  return *std::move(value);
}

std::unique_ptr<SchedulerRig> StartRig() {
  const std::map<int, int> cost = {{1, 1}, {2, 1}, {4, 1}, {8, 1}, {16, 1}, {32, 1}};
  return Value(
      SchedulerRig::Start({.models = {{.name = "vision", .cost_us = cost},
                                      {.name = "text", .cost_us = cost},
                                      {.name = "fusion", .inputs = {"a", "b"}, .cost_us = cost}}}));
}

// Requests that are waited for together.
class Round final {
 public:
  void Done(const absl::Status& status) {
    if (!status.ok()) {
      fmt::print(stderr, "{}\n", MessageOf(status));
      std::abort();
    }
    const MutexLock lock(mu_);
    ++done_;
    changed_.NotifyOne();
  }
  void Await(int64_t count) {
    const MutexLock lock(mu_);
    while (done_ < count) {
      changed_.Wait(mu_);
    }
    done_ = 0;
  }

 private:
  Mutex mu_;
  CondVar changed_;
  int64_t done_ ABSL_GUARDED_BY(mu_) = 0;
};

void Measure(benchmark::State& state, SchedulerRig& rig, const SchedulerRig::Target& target) {
  Round round;
  const int64_t together = state.range(0);
  const auto turn = [&] {
    for (int64_t i = 0; i < together; ++i) {
      rig.Ask(target, scheduler::Instant::max(),
              [&round](const absl::Status& status) { round.Done(status); });
    }
    round.Await(together);
  };
  for (int i = 0; i < 100; ++i) {
    turn();  // What is made once is made.
  }
  const size_t all = AllocationCountOfAllThreads();
  const size_t own = AllocationCount();
  const uint64_t device = rig.device_pool_allocations();
  for (auto _ : state) {
    turn();
  }
  const auto requests = static_cast<double>(together * state.iterations());
  state.SetItemsProcessed(together * state.iterations());
  state.counters["allocs/request"] =
      static_cast<double>((AllocationCountOfAllThreads() - all) - (AllocationCount() - own)) /
      requests;
  state.counters["device_allocs"] = static_cast<double>(rig.device_pool_allocations() - device);
}

void SingleStep(benchmark::State& state) {
  const std::unique_ptr<SchedulerRig> rig = StartRig();
  Measure(state, *rig, rig->Single("text"));
}
BENCHMARK(SingleStep)->Arg(1)->Arg(32)->UseRealTime()->MeasureProcessCPUTime();

// Two steps side by side and one after both, launched ahead.
void ThreeSteps(benchmark::State& state) {
  const std::unique_ptr<SchedulerRig> rig = StartRig();
  Measure(state, *rig, Value(rig->VisionText("vision", "text", "fusion")));
}
BENCHMARK(ThreeSteps)->Arg(1)->Arg(32)->UseRealTime()->MeasureProcessCPUTime();

}  // namespace
}  // namespace omserve::bench

BENCHMARK_MAIN();
