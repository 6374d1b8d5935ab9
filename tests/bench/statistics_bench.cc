// SPDX-License-Identifier: Apache-2.0
// What counting costs: host time of a batch of one request and of its answer, when each device's
// thread has counters of its own and when all share one set. Beside what the daemon spends on a
// small request (front_bench) it is the price of the metrics.
//
//   build/release/tests/bin/statistics_bench
#include <benchmark/benchmark.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "scheduler/plan.h"
#include "server/core/statistics.h"
#include "server/core/summary_metrics.h"

namespace omserve::server {
namespace {

using std::chrono::microseconds;

std::chrono::milliseconds FixedTime() { return std::chrono::milliseconds(1); }

scheduler::Subgraph MakeSubgraph() {
  scheduler::Subgraph subgraph{.name = "resnet50"};
  subgraph.shape.batched = true;
  subgraph.shape.inputs = {{"x", DataType::kFp32, {1}}};
  subgraph.shape.outputs = {{"y", DataType::kFp32, {1}}};
  scheduler::Bucket bucket{.input_dims = {{1}}, .output_dims = {{1}}};
  bucket.output_row_bytes = {4};
  bucket.gears = {{.rows = 8}};
  subgraph.shape.buckets = {bucket};
  return subgraph;
}

void Count(benchmark::State& state, scheduler::Observer& observer) {
  const scheduler::Subgraph subgraph = MakeSubgraph();
  const auto plan = scheduler::BuildSingle(subgraph);
  const scheduler::BatchRecord batch{.subgraph = &subgraph,
                                     .rows = 1,
                                     .groups = 1,
                                     .gear_rows = 1,
                                     .total_queued = microseconds(100),
                                     .input = microseconds(1),
                                     .compute = microseconds(10),
                                     .output = microseconds(2)};
  scheduler::RequestRecord request{.plan = plan.get(), .rows = 1};
  int64_t n = 0;
  for (auto _ : state) {
    request.stages.total = microseconds(100 + n++ % 1000);
    observer.OnBatch(batch);
    observer.OnRequest(request);
  }
}

void OneSet(benchmark::State& state) {
  static scheduler::Observer& shard =
      (new Statistics(&FixedTime))->AddShard();  // Of all threads, for good.
  Count(state, shard);
}
BENCHMARK(OneSet)->Threads(1)->Threads(2);

void OneSetEach(benchmark::State& state) {
  Statistics statistics(&FixedTime);
  Count(state, statistics.AddShard());
}
BENCHMARK(OneSetEach)->Threads(1)->Threads(2);

// What a scrape takes longer with summaries of so many models.
void SummariesOfModels(benchmark::State& state) {
  std::vector<ModelStatistics> models(static_cast<size_t>(state.range(0)));
  for (size_t m = 0; m < models.size(); ++m) {
    models[m].name = "model" + std::to_string(m);
    scheduler::StageTimes times;
    for (int us = 0; us < 100'000; us += 100) {
      times.total = microseconds(us);
      models[m].stages.Record(times);
    }
  }
  Summaries summaries({0.5, 0.9, 0.95, 0.99, 0.999}, SteadyClock());
  for (auto _ : state) {
    std::vector<prometheus::MetricFamily> families;
    summaries.AddFamilies(models, {}, families);
    benchmark::DoNotOptimize(families);
  }
}
BENCHMARK(SummariesOfModels)->Arg(1)->Arg(100);

}  // namespace
}  // namespace omserve::server

BENCHMARK_MAIN();
