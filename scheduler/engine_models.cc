// SPDX-License-Identifier: Apache-2.0
// The engine's models as they come: how one is warmed up, gets its lanes and memory, and is made
// known to the core. Most of it on the caller's thread, so that traffic does not wait.
#include <algorithm>
#include <chrono>
#include <utility>

#include "runtime/acl/device_error.h"
#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "scheduler/engine.h"
#include "scheduler/warm_up.h"

namespace omserve::scheduler {

absl::StatusOr<const Subgraph*> Engine::AddSubgraph(SubgraphSpec spec) {
  RETURN_IF_ERROR(spec.policy.Validate(spec.shape.max_rows()));
  const MutexLock lock(device_work_mu_);
  RETURN_IF_ERROR(device_.Bind());
  const uint64_t generation = device_.generation();
  ASSIGN_OR_RETURN(const CostTable costs, WarmUpModel(spec));
  RETURN_IF_ERROR(RunSamplesOf(spec));
  // Streams and buffers are made here, on the caller's thread, so that traffic does not wait.
  std::vector<std::unique_ptr<Lane>> lanes;
  for (acl::Model* model : spec.instances) {
    ASSIGN_OR_RETURN(std::unique_ptr<Lane> lane,
                     Lane::Create(device_, *completions_, *model, LaneOptions(), *this));
    lanes.push_back(std::move(lane));
  }
  auto subgraph = std::make_unique<Subgraph>(Subgraph{.name = spec.name,
                                                      .version = spec.version,
                                                      .shape = std::move(spec.shape),
                                                      .sequence = std::move(spec.sequence),
                                                      .load = std::make_shared<SubgraphLoad>()});
  const Subgraph* added = subgraph.get();
  std::shared_ptr<SequenceStore> sequences;
  if (added->sequence.has_value()) {
    ASSIGN_OR_RETURN(sequences,
                     SequenceStore::Create(device_, *added, static_cast<int>(lanes.size())));
  }
  OutputSets sets{.layout = LayOutOutputs(added->shape)};
  absl::Status status;
  RunOnDeviceThread([&] {
    // A device that is lost has its generation only until it is reset.
    if (generation != device_.generation() || !loss_.ok()) {
      status =
          Unavailable("device {} was lost while model '{}' was loaded", device_.id(), spec.name);
      return;
    }
    // As many as there can be batches in flight; a pipeline adds what its rows hold: AddPlan.
    const int set_count = static_cast<int>(lanes.size()) * options_.core.batches_per_lane;
    status = ReserveForSubgraph(sets, set_count);
    if (!status.ok()) {
      return;
    }
    const size_t s = FindPlace();
    subgraph->index = static_cast<int>(s);
    absl::StatusOr<std::vector<int>> lane_limits = LimitLanes(subgraph->index, spec.limits);
    if (!lane_limits.ok()) {
      status = lane_limits.status();
      for (const acl::DevicePtr block : sets.blocks) {
        pool_->Free(block);
      }
      return;
    }
    subgraph->load->lane_count = static_cast<int64_t>(lanes.size());
    core_.AddSubgraph(*subgraph, {.lanes = static_cast<int>(lanes.size()),
                                  .policy = spec.policy,
                                  .max_queue_rows = spec.max_queue_rows,
                                  .level_rows = std::move(spec.level_rows),
                                  .max_queue_time = spec.max_queue_time,
                                  .costs = costs,
                                  .output_sets = set_count,
                                  .lane_limits = *std::move(lane_limits)});
    subgraphs_[s] = std::move(subgraph);
    output_sets_[s] = std::move(sets);
    lanes_[s] = std::move(lanes);
    instances_[s] = {std::move(spec.instances), std::move(spec.reload), added,
                     std::move(sequences)};
  });
  RETURN_IF_ERROR(status);
  return added;
}

size_t Engine::FindPlace() {
  const auto s = static_cast<size_t>(std::find(subgraphs_.begin(), subgraphs_.end(), nullptr) -
                                     subgraphs_.begin());
  if (s == subgraphs_.size()) {
    subgraphs_.emplace_back();
    output_sets_.emplace_back();
    lanes_.emplace_back();
    instances_.emplace_back();
    taken_rows_.push_back(0);
    turn_clients_.emplace_back();
  }
  return s;
}

absl::StatusOr<CostTable> Engine::WarmUpModel(const SubgraphSpec& spec) {
  if (options_.warm_up_runs == 0 || spec.instances.empty()) {
    return CostTable();
  }
  const Instant start = clock_.Now();
  absl::StatusOr<CostTable> costs = WarmUp(device_, *completions_, *spec.instances.front(),
                                           spec.shape, options_.warm_up_runs, clock_);
  if (!costs.ok() && spec.must_warm_up) {
    return WithContext(costs.status(), "warm-up");
  }
  if (!costs.ok()) {
    OMSERVE_LOG(kWarning, "scheduler", "warm-up failed model={} version={} error=\"{}\"", spec.name,
                spec.version, MessageOf(costs.status()));
    return CostTable();
  }
  OMSERVE_LOG(kInfo, "scheduler", "warmed up model={} version={} ms={} gear_ms=\"{}\"", spec.name,
              spec.version,
              std::chrono::duration_cast<std::chrono::milliseconds>(clock_.Now() - start).count(),
              CostsToString(spec.shape, *costs));
  return costs;
}

absl::Status Engine::RunSamplesOf(const SubgraphSpec& spec) {
  const auto ends = [this] {
    const MutexLock lock(mu_);
    return gate_closed_;
  };
  const Instant until = clock_.Now() + kMostSampleTime;
  for (acl::Model* model : spec.instances) {
    const absl::Status ran =
        RunSamples(device_, *completions_, *model, spec.shape, spec.samples, clock_, until, ends);
    if (!ran.ok() && acl::DeviceStateAfter(ran) != acl::DeviceState::kUsable) {
      // Not the model's fault: it may be loaded when the device is back.
      Post(Task{[this, ran] { NoteFailure(ran); }});
      return Unavailable("device {} failed while model '{}' was loaded: {}", device_.id(),
                         spec.name, MessageOf(ran));
    }
    RETURN_IF_ERROR(ran);
  }
  return absl::OkStatus();
}

}  // namespace omserve::scheduler
