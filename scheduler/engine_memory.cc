// SPDX-License-Identifier: Apache-2.0
// Device memory for what batches put out, all of it reserved when models and pipelines are added.
#include <algorithm>
#include <utility>

#include "runtime/base/check.h"
#include "runtime/base/errors.h"
#include "scheduler/engine.h"

namespace omserve::scheduler {
namespace {

bool IsReadOnDevice(const Plan& plan, const PlanNode& node) {
  return node.on_device() && std::any_of(node.consumers.begin(), node.consumers.end(), [&](int c) {
           return plan.nodes[static_cast<size_t>(c)].on_device();
         });
}

}  // namespace

absl::Status Engine::AddPlan(const Plan& plan) {
  if (std::none_of(plan.nodes.begin(), plan.nodes.end(),
                   [&plan](const PlanNode& node) { return IsReadOnDevice(plan, node); })) {
    return absl::OkStatus();
  }
  absl::Status status;
  RunOnDeviceThread([&] {
    status = pool_ == nullptr ? Unavailable("device {} is being recovered", device_.id())
                              : ReserveForPlan(plan);
  });
  return WithContext(status, fmt::format("pipeline '{}'", plan.name));
}

absl::StatusOr<acl::DevicePtr> Engine::OutputsBlock(const Launch& launch) const {
  const auto s = static_cast<size_t>(launch.subgraph);
  if (launch.output_set != kArena) {
    return output_sets_[s].blocks[static_cast<size_t>(launch.output_set)];
  }
  const RowGroup& group = launch.rows.front();
  const size_t offset =
      active_.at(group.request).in->plan->arena_offsets[static_cast<size_t>(group.node)];
  if (offset + output_sets_[s].layout.size_bytes > arena_bytes_) {
    return Internal("a pipeline runs whose memory was not reserved: see Engine::AddPlan");
  }
  return arena_ + offset;
}

absl::Status Engine::TakeBlocks(size_t size_bytes, size_t count,
                                std::vector<acl::DevicePtr>& blocks) {
  const size_t had = blocks.size();
  for (size_t i = 0; i < count; ++i) {
    absl::StatusOr<acl::DevicePtr> block = pool_->Allocate(size_bytes);
    if (!block.ok()) {
      for (; blocks.size() > had; blocks.pop_back()) {
        pool_->Free(blocks.back());
      }
      return ResourceExhausted(
          "{} blocks of {} bytes of device memory for outputs: {} of the pool's {} bytes are free; "
          "enlarge device.memory_pool_bytes, or lower max_batch_size, instance_group.count or "
          "scheduler.in_flight_per_instance",
          count, size_bytes, pool_->size_bytes() - pool_->used_bytes(), pool_->size_bytes());
    }
    blocks.push_back(*block);
  }
  return absl::OkStatus();
}

absl::Status Engine::ReserveForSubgraph(OutputSets& sets, int count) {
  if (pool_ == nullptr) {
    return Unavailable("device {} is being recovered", device_.id());
  }
  return TakeBlocks(sets.layout.size_bytes, static_cast<size_t>(count), sets.blocks);
}

// Twice what the lanes hold: the outputs of all batches in flight can wait for the next step while
// as many are computed. More would only let one step run further ahead of the next.
absl::Status Engine::ReserveForPlan(const Plan& plan) {
  std::vector<std::pair<size_t, std::vector<acl::DevicePtr>>> taken;
  absl::Status status;
  for (const PlanNode& node : plan.nodes) {
    if (!IsReadOnDevice(plan, node)) {
      continue;
    }
    const auto s = static_cast<size_t>(node.subgraph->index);
    const size_t wanted =
        2 * lanes_[s].size() * static_cast<size_t>(options_.core.batches_per_lane);
    const bool has = output_sets_[s].blocks.size() >= wanted ||
                     std::any_of(taken.begin(), taken.end(),
                                 [s](const auto& entry) { return entry.first == s; });
    if (!has && status.ok()) {
      std::vector<acl::DevicePtr>& blocks = taken.emplace_back(s, 0).second;
      status = WithContext(TakeBlocks(output_sets_[s].layout.size_bytes,
                                      wanted - output_sets_[s].blocks.size(), blocks),
                           fmt::format("step '{}'", node.name));
    }
  }
  std::vector<acl::DevicePtr> arena;
  if (status.ok() && plan.arena_bytes > arena_bytes_) {
    status = WithContext(TakeBlocks(plan.arena_bytes, 1, arena), "its arena");
  }
  if (!status.ok()) {
    for (const auto& [s, blocks] : taken) {
      for (const acl::DevicePtr block : blocks) {
        pool_->Free(block);
      }
    }
    return status;
  }
  for (auto& [s, blocks] : taken) {
    std::vector<acl::DevicePtr>& all = output_sets_[s].blocks;
    all.insert(all.end(), blocks.begin(), blocks.end());
    core_.SetOutputSets(static_cast<int>(s), static_cast<int>(all.size()));
  }
  if (!arena.empty()) {
    old_arenas_.push_back(std::exchange(arena_, arena.front()));
    arena_bytes_ = plan.arena_bytes;
    FreeOldArenas();
  }
  return status;
}

void Engine::FreeOldArenas() {
  const bool is_used = std::any_of(batches_.begin(), batches_.end(), [](const auto& entry) {
    return entry.second.launch.output_set == kArena;
  });
  for (; !is_used && !old_arenas_.empty(); old_arenas_.pop_back()) {
    if (old_arenas_.back()) {
      pool_->Free(old_arenas_.back());
    }
  }
}

void Engine::ReserveAgain() {
  const auto take = [this](size_t size_bytes) {
    absl::StatusOr<acl::DevicePtr> block = pool_->Allocate(size_bytes);
    OMSERVE_CHECK(block.ok(), "what a pool held fits one of its size that is empty");
    return *block;
  };
  for (size_t s = 0; s < output_sets_.size(); ++s) {
    for (int set = 0; set < core_.output_sets(static_cast<int>(s)); ++set) {
      output_sets_[s].blocks.push_back(take(output_sets_[s].layout.size_bytes));
    }
  }
  if (arena_bytes_ > 0) {
    arena_ = take(arena_bytes_);
  }
}

void Engine::FreeReserved() {
  if (pool_ == nullptr) {
    return;
  }
  FreeOldArenas();
  for (OutputSets& sets : output_sets_) {
    for (const acl::DevicePtr block : sets.blocks) {
      pool_->Free(block);
    }
    sets.blocks.clear();
  }
  if (arena_) {
    pool_->Free(std::exchange(arena_, acl::DevicePtr()));
  }
}

}  // namespace omserve::scheduler
