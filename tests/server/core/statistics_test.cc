// SPDX-License-Identifier: Apache-2.0
#include "server/core/statistics.h"

#include <catch2/catch.hpp>
#include <chrono>

#include "server/core/inference.h"

namespace omserve::server {
namespace {

using namespace std::chrono_literals;  // NOLINT: durations as people write them.
using scheduler::BatchRecord;
using scheduler::Outcome;
using scheduler::RequestRecord;

std::chrono::milliseconds FixedWallClock() { return 1234ms; }

scheduler::Subgraph Named(const std::string& name) {
  scheduler::Subgraph subgraph{.name = name};
  subgraph.shape.batched = true;
  subgraph.shape.inputs = {{"x", DataType::kFp32, {1}}};
  subgraph.shape.outputs = {{"y", DataType::kFp32, {1}}};
  scheduler::Bucket bucket{.input_dims = {{1}}, .output_dims = {{1}}};
  bucket.output_row_bytes = {4};
  bucket.gears = {{.rows = 8}};
  subgraph.shape.buckets = {bucket};
  return subgraph;
}

BatchRecord Batch(const scheduler::Subgraph& subgraph) {
  return {.subgraph = &subgraph,
          .rows = 3,
          .groups = 2,
          .gear_rows = 4,
          .reason = scheduler::ReleaseReason::kDelay,
          .total_queued = 100us,
          .input = 1us,
          .compute = 10us,
          .output = 2us};
}

// A batch of two requests that named the model: executions are counted here, and the requests only
// when they are answered.
TEST_CASE("Statistics: a batch of direct requests", "[statistics]") {
  const scheduler::Subgraph subgraph = Named("m");
  const auto plan = scheduler::BuildSingle(subgraph);
  Statistics statistics(&FixedWallClock);
  scheduler::Observer& device = statistics.AddShard();
  device.OnBatch(Batch(subgraph));
  device.OnRequest({.plan = plan.get(), .rows = 2, .stages = {.total = 200us}});
  device.OnRequest({.plan = plan.get(), .rows = 1, .stages = {.total = 300us}});
  const std::vector<ModelStatistics> all = statistics.Snapshot();
  REQUIRE(all.size() == 1);
  const ModelStatistics& m = all.front();
  CHECK(m.inference_count == 3);
  CHECK(m.execution_count == 1);
  CHECK(m.last_inference_ms == 1234);
  CHECK(m.success.count == 2);
  CHECK(m.success.ns == 500'000);
  CHECK(m.queue.count == 2);
  CHECK(m.queue.ns == 100'000);
  CHECK(m.compute_infer.count == 2);
  CHECK(m.compute_infer.ns == 20'000);
  CHECK(m.padded_rows == 1);
  CHECK(m.releases[static_cast<size_t>(scheduler::ReleaseReason::kDelay)] == 1);
  REQUIRE(m.by_batch_size.count(3) == 1);
  CHECK(m.by_batch_size.at(3).executions == 1);
  CHECK(m.by_batch_size.at(3).compute_infer_ns == 10'000);
}

// Both sides of a pair, each beside the other; what is measured later takes the place.
TEST_CASE("Statistics: models beside each other", "[statistics]") {
  const scheduler::Subgraph text = Named("text");
  const scheduler::Subgraph vision = Named("vision");
  Statistics statistics(&FixedWallClock);
  scheduler::Observer& device = statistics.AddShard();
  device.OnPair({.device = 1, .a = &vision, .b = &text, .speed_a = 0.9, .speed_b = 0.6});
  device.OnPair(
      {.device = 1, .a = &vision, .b = &text, .speed_a = 0.3, .speed_b = 0.2, .apart = true});
  const PairSpeeds pairs = statistics.Pairs();
  REQUIRE(pairs.size() == 2);
  CHECK(pairs.at({1, "text", 1, "vision", 1}).speed == 0.2);
  CHECK(pairs.at({1, "vision", 1, "text", 1}).speed == 0.3);
  CHECK(pairs.at({1, "vision", 1, "text", 1}).apart);
}

// A batch of which one request came through a pipeline: that one is counted with the batch.
TEST_CASE("Statistics: steps of pipelines count as requests of the model", "[statistics]") {
  const scheduler::Subgraph subgraph = Named("m");
  Statistics statistics(&FixedWallClock);
  scheduler::Observer& device = statistics.AddShard();
  BatchRecord batch = Batch(subgraph);
  batch.step_groups = 1;
  device.OnBatch(batch);
  CHECK(statistics.Snapshot().front().success.count == 1);
  CHECK(statistics.Snapshot().front().success.ns == 50'000 + 13'000);
}

// A batch that failed: nothing was inferred, and only its pipeline steps are failures of its own.
TEST_CASE("Statistics: a failed batch", "[statistics]") {
  const scheduler::Subgraph subgraph = Named("m");
  Statistics statistics(&FixedWallClock);
  scheduler::Observer& device = statistics.AddShard();
  BatchRecord batch = Batch(subgraph);
  batch.step_groups = 1;
  batch.ok = false;
  device.OnBatch(batch);
  const ModelStatistics m = statistics.Snapshot().front();
  CHECK(m.execution_count == 0);
  CHECK(m.fail.count == 1);
  CHECK(m.fail_by_reason[static_cast<size_t>(FailReason::kBackend)] == 1);
}

// A pipeline's request: its own rows and executions, since it has no batches.
TEST_CASE("Statistics: a pipeline counts its requests", "[statistics]") {
  const scheduler::Subgraph subgraph = Named("step");
  scheduler::Plan plan = *scheduler::BuildSingle(subgraph);
  plan.name = "pipeline";
  Statistics statistics(&FixedWallClock);
  scheduler::Observer& device = statistics.AddShard();
  device.OnRequest({.plan = &plan, .rows = 4, .stages = {.total = 1ms}});
  const ModelStatistics p = statistics.Snapshot().front();
  CHECK(p.name == "pipeline");
  CHECK(p.inference_count == 4);
  CHECK(p.execution_count == 1);
  CHECK(p.success.ns == 1'000'000);
}

// Stages of successful requests, each in the bucket of its duration; bounds are inclusive.
TEST_CASE("Statistics: stages are counted by duration") {
  const scheduler::Subgraph subgraph = Named("m");
  const auto plan = scheduler::BuildSingle(subgraph);
  Statistics statistics(&FixedWallClock);
  scheduler::Observer& device = statistics.AddShard();
  scheduler::StageTimes times{.total = 150us};
  times[scheduler::Stage::kQueue] = 50us;
  times[scheduler::Stage::kCompute] = 100us + 1ns;
  device.OnRequest({.plan = plan.get(), .stages = times});
  device.OnRequest({.plan = plan.get(), .stages = {.total = 1h}});
  device.OnRequest({.plan = plan.get(), .outcome = Outcome::kCancelled, .stages = {.total = 1s}});
  const StageStatistics stages = statistics.Snapshot().front().stages;
  const DurationHistogram& queue = stages.stages[static_cast<size_t>(scheduler::Stage::kQueue)];
  CHECK(queue.count == 2);
  CHECK(queue.sum_ns == 50'000);
  CHECK(queue.buckets[0] == 2);
  CHECK(stages.stages[static_cast<size_t>(scheduler::Stage::kCompute)].buckets[2] == 1);
  CHECK(stages.total.count == 2);
  CHECK(stages.total.buckets[2] == 1);
  CHECK(stages.total.buckets.back() == 1);
}

// Each way to fail has its label.
TEST_CASE("Statistics: reasons of failures", "[statistics]") {
  const scheduler::Subgraph subgraph = Named("m");
  const auto plan = scheduler::BuildSingle(subgraph);
  Statistics statistics(&FixedWallClock);
  scheduler::Observer& device = statistics.AddShard();
  const auto fail = [&](Outcome outcome, absl::StatusCode code) {
    device.OnRequest(
        {.plan = plan.get(), .outcome = outcome, .code = code, .stages = {.total = 1us}});
  };
  fail(Outcome::kRefused, absl::StatusCode::kUnavailable);
  fail(Outcome::kDropped, absl::StatusCode::kDeadlineExceeded);
  fail(Outcome::kDeadlineExceeded, absl::StatusCode::kDeadlineExceeded);
  fail(Outcome::kCancelled, absl::StatusCode::kCancelled);
  fail(Outcome::kFailed, absl::StatusCode::kInternal);
  fail(Outcome::kFailed, absl::StatusCode::kInvalidArgument);
  statistics.CountRefused("m", 1, FailReason::kOther);
  const ModelStatistics m = statistics.Snapshot().front();
  CHECK(m.fail.count == 7);
  CHECK(m.success.count == 0);
  CHECK(m.fail_by_reason == std::array<uint64_t, kFailReasonCount>{3, 1, 1, 2});
}

// A model that was never called is listed with zeros; the order is by name and version.
TEST_CASE("Statistics: the snapshot lists what was added", "[statistics]") {
  Statistics statistics(&FixedWallClock);
  statistics.AddModel("b", 1);
  statistics.AddModel("a", 10);
  statistics.AddModel("a", 2);
  const std::vector<ModelStatistics> all = statistics.Snapshot();
  REQUIRE(all.size() == 3);
  CHECK(all[0].version == 2);
  CHECK(all[1].version == 10);
  CHECK(all[2].name == "b");
  CHECK(all[2].success.count == 0);
}

// Priorities by Triton's rule: none configured, in range, default, out of range.
TEST_CASE("EffectivePriority: levels and the default", "[inference][1.8/priority]") {
  inference::ModelConfig config;
  CHECK(EffectivePriority(config, 5) == 1);
  config.mutable_dynamic_batching()->set_priority_levels(3);
  config.mutable_dynamic_batching()->set_default_priority_level(2);
  CHECK(EffectivePriority(config, 1) == 1);
  CHECK(EffectivePriority(config, 3) == 3);
  CHECK(EffectivePriority(config, 0) == 2);
  CHECK(EffectivePriority(config, 4) == 2);
}

// Timeouts: the shorter of the request's and the model's, and never one that overflows.
TEST_CASE("EffectiveTimeout: the shorter one counts", "[inference]") {
  inference::ModelConfig config;
  CHECK(EffectiveTimeout(config, 1, 0s).after == 0s);
  CHECK(EffectiveTimeout(config, 1, 5ms).after == 5ms);
  CHECK_FALSE(EffectiveTimeout(config, 1, 5ms).delays);
  auto& policy = *config.mutable_dynamic_batching()->mutable_default_queue_policy();
  policy.set_default_timeout_microseconds(2000);
  CHECK(EffectiveTimeout(config, 1, 0s).after == 2ms);
  CHECK(EffectiveTimeout(config, 1, 1ms).after == 1ms);
  CHECK(EffectiveTimeout(config, 1, 5ms).after == 2ms);
  policy.set_default_timeout_microseconds(~uint64_t{0});
  CHECK(EffectiveTimeout(config, 1, 0s).after == std::chrono::hours(24 * 365));
}

// DELAY: the policy's own timeout, which a request shortens only where it may; by priority.
TEST_CASE("EffectiveTimeout: delaying policies", "[inference]") {
  inference::ModelConfig config;
  auto& batching = *config.mutable_dynamic_batching();
  batching.set_priority_levels(2);
  auto& policy = (*batching.mutable_priority_queue_policy())[2];
  policy.set_timeout_action(inference::ModelQueuePolicy::DELAY);
  policy.set_default_timeout_microseconds(2000);
  CHECK_FALSE(EffectiveTimeout(config, 1, 1ms).delays);
  CHECK(EffectiveTimeout(config, 2, 1ms).delays);
  CHECK(EffectiveTimeout(config, 2, 1ms).after == 2ms);
  policy.set_allow_timeout_override(true);
  CHECK(EffectiveTimeout(config, 2, 1ms).after == 1ms);
  CHECK(EffectiveTimeout(config, 2, 5ms).after == 2ms);
  CHECK(EffectiveTimeout(config, 2, 0s).after == 2ms);
}

// What each device's engine counts adds up, whatever part of it a device has seen.
TEST_CASE("Statistics: devices count by themselves", "[statistics]") {
  const scheduler::Subgraph subgraph = Named("m");
  const scheduler::Subgraph other = Named("other");
  const auto plan = scheduler::BuildSingle(subgraph);
  const auto other_plan = scheduler::BuildSingle(other);
  Statistics together(&FixedWallClock);
  scheduler::Observer& only = together.AddShard();
  Statistics apart(&FixedWallClock);
  scheduler::Observer& first = apart.AddShard();
  scheduler::Observer& second = apart.AddShard();
  apart.AddModel("m", 1);
  for (int i = 0; i < 10; ++i) {
    BatchRecord batch = Batch(subgraph);
    batch.rows = 1 + i % 3;
    const RequestRecord request{.plan = plan.get(),
                                .rows = 1,
                                .outcome = i == 7 ? Outcome::kFailed : Outcome::kOk,
                                .stages = {.total = i * 100us}};
    for (scheduler::Observer* observer : {&only, i % 2 == 0 ? &first : &second}) {
      observer->OnBatch(batch);
      observer->OnRequest(request);
    }
  }
  second.OnRequest({.plan = other_plan.get(), .rows = 1});
  together.CountRefused("m", 1, FailReason::kRejected);
  apart.CountRefused("m", 1, FailReason::kRejected);
  const std::vector<ModelStatistics> all = apart.Snapshot();
  REQUIRE(all.size() == 2);
  CHECK(all[1].name == "other");
  const ModelStatistics& sum = all[0];
  const ModelStatistics expected = together.Snapshot().front();
  CHECK(sum.name == "m");
  CHECK(sum.inference_count == expected.inference_count);
  CHECK(sum.success.count == expected.success.count);
  CHECK(sum.success.ns == expected.success.ns);
  CHECK(sum.fail.count == 2);
  CHECK(sum.fail_by_reason == expected.fail_by_reason);
  CHECK(sum.releases == expected.releases);
  CHECK(sum.stages.total.buckets == expected.stages.total.buckets);
  CHECK(sum.stages.total.exponential.buckets == expected.stages.total.exponential.buckets);
  REQUIRE(sum.by_batch_size.size() == expected.by_batch_size.size());
  for (const auto& [rows, size] : sum.by_batch_size) {
    CHECK(size.executions == expected.by_batch_size.at(rows).executions);
    CHECK(size.compute_infer_ns == expected.by_batch_size.at(rows).compute_infer_ns);
  }
}

}  // namespace
}  // namespace omserve::server
