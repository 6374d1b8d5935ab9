// SPDX-License-Identifier: Apache-2.0
// The engine's models as they go. The core says when nothing of one is left; then the device thread
// takes it out of its tables, and whoever asked for it frees what it had, so that traffic does not
// wait.
#include <algorithm>
#include <utility>

#include "runtime/base/errors.h"
#include "runtime/base/log.h"
#include "scheduler/engine.h"

namespace omserve::scheduler {

absl::Status Engine::RemoveSubgraph(const Subgraph& subgraph) {
  Post(Task{[this, index = subgraph.index] { Feed(Unload{index}); }});
  RemovedSubgraph removed;
  {
    const MutexLock lock(mu_);
    while (true) {
      const auto found = std::find_if(
          removed_.begin(), removed_.end(),
          [&subgraph](const RemovedSubgraph& one) { return one.subgraph.get() == &subgraph; });
      if (found != removed_.end()) {
        removed = std::move(*found);
        removed_.erase(found);
        break;
      }
      if (gate_closed_ && idle_) {
        return Unavailable("model '{}' is kept to the end: the server is shutting down",
                           subgraph.name);
      }
      progressed_.Wait(mu_);
    }
  }
  FreeLanes(removed);
  return absl::OkStatus();
}

void Engine::FreeLanes(RemovedSubgraph& removed) {
  const MutexLock lock(device_work_mu_);
  if (removed.generation == device_.generation() && device_.Bind().ok()) {
    removed.lanes.clear();
    removed.instances.sequences.reset();
    return;
  }
  // The device was lost in this moment: as lanes that were given up, they wait for its return.
  for (const std::unique_ptr<Lane>& lane : removed.lanes) {
    lane->Stop().IgnoreError();
  }
  const auto retired = std::make_shared<Lanes>(std::move(removed.lanes));
  Post(Task{[this, retired] {
    for (std::unique_ptr<Lane>& lane : *retired) {
      if (!core_.device_lost()) {
        lane->FreeHostMemory();
      }
      retired_lanes_.push_back(std::move(lane));
    }
  }});
}

// ---- The device thread ----

void Engine::Obey(const Unloaded& command) {
  const auto s = static_cast<size_t>(command.subgraph);
  for (const acl::DevicePtr block : output_sets_[s].blocks) {
    if (block) {
      pool_->Free(block);
    }
  }
  output_sets_[s] = OutputSets();
  DropTurnClients(s);
  RemovedSubgraph removed{.subgraph = std::move(subgraphs_[s]),
                          .lanes = std::move(lanes_[s]),
                          .instances = std::move(instances_[s]),
                          .generation = device_.generation()};
  lanes_[s].clear();
  instances_[s] = Instances();
  const MutexLock lock(mu_);
  removed_.push_back(std::move(removed));  // This turn's end tells who waits.
}

void Engine::RemovePlan(const Plan& plan) {
  RunOnDeviceThread([this, &plan] {
    const auto found = std::find_if(plans_.begin(), plans_.end(), [&plan](const PlanMemory& known) {
      return known.plan == &plan;
    });
    if (found != plans_.end()) {
      const PlanMemory gone = std::move(*found);
      plans_.erase(found);
      ReleaseForPlan(gone);
    }
  });
}

}  // namespace omserve::scheduler
