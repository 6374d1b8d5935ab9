// SPDX-License-Identifier: Apache-2.0
// One load of a version: the model that is called, and all that stands behind it.
#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "runtime/acl/device.h"
#include "runtime/registry/registry.h"
#include "scheduler/engine.h"
#include "server/core/file_overrides.h"
#include "server/core/model.h"

namespace omserve::server {

// Thread-compatible. What it points to outlives it.
struct LoadedModel {
  // A compiled model on one device.
  struct Part {
    const acl::Device* device = nullptr;
    scheduler::Engine* engine = nullptr;
    const scheduler::Subgraph* subgraph = nullptr;  // Null: the engine does not have it (yet).
    std::unique_ptr<registry::LoadedSubgraph> loaded;
  };
  struct EnginePlan {
    scheduler::Engine* engine = nullptr;
    std::shared_ptr<const scheduler::Plan> plan;
  };

  Model model;
  std::vector<Part> parts;
  std::vector<EnginePlan> plans;                // Of a pipeline, as the engines know them.
  std::shared_ptr<const OverrideFolder> files;  // That a load request brought; null for none.
};

// Takes it out of the engines and frees what it has there. Requires that no request of it is left
// and none will come. Blocks; while a device is lost, until it is back. OK: nothing of it is left
// but `model`. Errors: Engine::RemoveSubgraph's; what it then still has outlives the engines.
absl::Status TakeApart(LoadedModel& loaded);

}  // namespace omserve::server
