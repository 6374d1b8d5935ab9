// SPDX-License-Identifier: Apache-2.0
// What an engine is started with, what a subgraph is added with, and what the engine tells of its
// load. Plain values.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "runtime/acl/model.h"
#include "runtime/base/clock.h"
#include "scheduler/core.h"
#include "scheduler/diversion.h"
#include "scheduler/shared_rate_limiter.h"
#include "scheduler/warm_up_sample.h"

namespace omserve::scheduler {

struct RecoveryOptions {
  // Between attempts to recover a lost device: the first pause, doubled up to the longest.
  Clock::duration first_pause = std::chrono::milliseconds(100);
  Clock::duration longest_pause = std::chrono::seconds(10);
  int attempts = 0;  // 0: without end.
};

struct EngineOptions {
  size_t device_pool_bytes = size_t{1} << 30;  // For tensors between steps.
  int host_workers = 2;
  Core::Options core;
  // Requests submitted and not yet taken up by the device thread; one more is refused.
  size_t max_messages = 65536;
  RecoveryOptions recovery;
  // Offered what cannot be served while the device is lost; outlives the engine. Null: nobody.
  Diversion* diversion = nullptr;
  // Of all devices; outlives the engine. Null: no lane is limited.
  SharedRateLimiter* rate_limiter = nullptr;
  // See Lane::Options. A link moves 64 KiB in some 5 us, which is what an event that another
  // stream waits for costs.
  size_t small_copy_bytes = 64 << 10;
  // What the host's memory copies in a second, reading and writing: more than most do, since copies
  // that are believed slower than they are would have batches run apart that should not.
  double copy_bytes_per_second = 20e9;
  // Times that each gear of a model is run before it is added. 0: predictions begin with the
  // first batches.
  int warm_up_runs = 0;
};

using ReloadInstance = std::function<absl::StatusOr<acl::Model*>(size_t instance)>;

struct SubgraphSpec {
  std::string name;
  int64_t version = 1;
  SubgraphShape shape;
  std::optional<SequenceSpec> sequence;  // When it keeps state between requests.
  std::vector<acl::Model*> instances;    // One lane each; they outlive the subgraph.
  // Drops an instance and loads it again, for when its stream hung or the device was lost; gives
  // its new address. Runs on the recovery thread, bound to the device. Empty: a hung lane is
  // mended without, and a lost device stays lost.
  ReloadInstance reload;
  BatchPolicyOptions policy;
  int max_queue_rows = 0;
  Core::LevelBounds level_rows;
  Clock::duration max_queue_time{0};  // 0: Core::Options::max_queue_time.
  std::vector<InstanceLimit> limits;  // By instance; empty: none is limited.
  std::vector<WarmUpSample> samples;  // Every instance runs them before it serves.
  // Adding it fails where a gear cannot be warmed up; else the log tells, and it serves.
  bool must_warm_up = false;
};

struct EngineLoad {
  size_t requests = 0;               // Accepted and not retired,
  int rows = 0;                      // their rows,
  size_t input_bytes = 0;            // and the pinned memory of their inputs.
  std::vector<int> queued_rows;      // Per subgraph.
  std::vector<int> queued_requests;  // Likewise; a step of a pipeline counts as one.
  // Per subgraph: when a lane is free of what was accepted, as predicted; max(): none serves.
  std::vector<Instant> free_at;
  std::vector<SequenceTable::Counts> sequences;  // Per subgraph; 0 where it keeps none.
  // Per subgraph: of its batches, how many can have memory for their outputs at once, and have.
  std::vector<int> output_sets;
  std::vector<int> output_sets_used;
  std::vector<size_t> output_bytes;  // What the sets take of the pool.
  size_t arena_bytes = 0;            // What the arena takes of it.
  uint64_t arena_launches = 0;       // See Core::arena_launches.
  size_t device_pool_used = 0;
  size_t device_pool_peak = 0;
  uint64_t device_pool_allocations = 0;  // By models and pipelines: requests make none.
  bool device_lost = false;
};

}  // namespace omserve::scheduler
