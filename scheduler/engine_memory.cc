// SPDX-License-Identifier: Apache-2.0
// Device memory for what batches put out, all of it reserved when models and pipelines are added.
#include <algorithm>
#include <utility>

#include "runtime/acl/shortage.h"
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

size_t Engine::OutputSets::size_bytes() const {
  return layout.size_bytes *
         static_cast<size_t>(std::count_if(blocks.begin(), blocks.end(),
                                           [](const acl::DevicePtr block) { return !!block; }));
}

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
      const absl::Status refused = ResourceExhausted(
          "{} blocks of {} bytes of device memory for outputs: {} of the pool's {} bytes are free; "
          "enlarge device.memory_pool_bytes, or lower max_batch_size, instance_group.count or "
          "scheduler.in_flight_per_instance",
          count, size_bytes, pool_->size_bytes() - pool_->used_bytes(), pool_->size_bytes());
      return acl::WithShortage(refused, {.device = device_.id()});
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
  if (std::any_of(plans_.begin(), plans_.end(),
                  [&plan](const PlanMemory& known) { return known.plan == &plan; })) {
    return absl::OkStatus();
  }
  PlanMemory memory{.plan = &plan, .arena_bytes = plan.arena_bytes};
  std::vector<std::pair<size_t, std::vector<acl::DevicePtr>>> taken;
  absl::Status status;
  for (const PlanNode& node : plan.nodes) {
    if (!IsReadOnDevice(plan, node)) {
      continue;
    }
    const auto s = static_cast<size_t>(node.subgraph->index);
    if (std::find(memory.read.begin(), memory.read.end(), node.subgraph->index) ==
        memory.read.end()) {
      memory.read.push_back(node.subgraph->index);
    }
    std::vector<acl::DevicePtr>& all = output_sets_[s].blocks;
    all.resize(std::max(all.size(), 2 * OwnSets(s)));
    const auto missing = static_cast<size_t>(
        std::count_if(all.begin(), all.end(), [](const acl::DevicePtr block) { return !block; }));
    const bool has =
        missing == 0 || std::any_of(taken.begin(), taken.end(),
                                    [s](const auto& entry) { return entry.first == s; });
    if (!has && status.ok()) {
      std::vector<acl::DevicePtr>& blocks = taken.emplace_back(s, 0).second;
      status = WithContext(TakeBlocks(output_sets_[s].layout.size_bytes, missing, blocks),
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
    for (acl::DevicePtr& block : all) {
      if (!block) {
        block = blocks.back();
        blocks.pop_back();
      }
    }
    core_.SetOutputSets(static_cast<int>(s), static_cast<int>(all.size()));
  }
  if (!arena.empty()) {
    old_arenas_.push_back(std::exchange(arena_, arena.front()));
    arena_bytes_ = plan.arena_bytes;
    FreeOldArenas();
  }
  plans_.push_back(std::move(memory));
  return status;
}

void Engine::ReleaseForPlan(const PlanMemory& gone) {
  size_t arena_bytes = 0;
  for (const PlanMemory& plan : plans_) {
    arena_bytes = std::max(arena_bytes, plan.arena_bytes);
  }
  if (arena_bytes < arena_bytes_) {
    std::vector<acl::DevicePtr> smaller(1);
    if (pool_ != nullptr && arena_bytes > 0) {
      smaller.clear();
      // Where there is no room beside the one that is too large, that one stays.
      if (!TakeBlocks(arena_bytes, 1, smaller).ok()) {
        smaller.clear();
      }
    }
    if (!smaller.empty()) {
      old_arenas_.push_back(std::exchange(arena_, smaller.front()));
      arena_bytes_ = arena_bytes;
      FreeOldArenas();
    }
  }
  for (const int subgraph : gone.read) {
    const bool is_read = std::any_of(plans_.begin(), plans_.end(), [=](const PlanMemory& plan) {
      return std::find(plan.read.begin(), plan.read.end(), subgraph) != plan.read.end();
    });
    if (!is_read) {
      KeepOutputSets(static_cast<size_t>(subgraph), OwnSets(static_cast<size_t>(subgraph)));
    }
  }
}

void Engine::KeepOutputSets(size_t subgraph, size_t count) {
  core_.SetOutputSets(static_cast<int>(subgraph), static_cast<int>(count));
  std::vector<acl::DevicePtr>& blocks = output_sets_[subgraph].blocks;
  for (size_t set = count; set < blocks.size(); ++set) {
    const bool is_used = std::any_of(batches_.begin(), batches_.end(), [&](const auto& entry) {
      const Launch& launch = entry.second.launch;
      return launch.subgraph == static_cast<int>(subgraph) &&
             launch.output_set == static_cast<int>(set);
    });
    if (!is_used && blocks[set]) {  // Else its batch's end frees it.
      pool_->Free(std::exchange(blocks[set], acl::DevicePtr()));
    }
  }
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
      if (block) {
        pool_->Free(block);
      }
    }
    sets.blocks.clear();
  }
  if (arena_) {
    pool_->Free(std::exchange(arena_, acl::DevicePtr()));
  }
}

}  // namespace omserve::scheduler
