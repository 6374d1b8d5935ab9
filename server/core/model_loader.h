// SPDX-License-Identifier: Apache-2.0
// From a model's folder to a model that can be called.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "config/model_config.h"
#include "runtime/acl/device.h"
#include "runtime/base/clock.h"
#include "runtime/memory/host_pool.h"
#include "runtime/registry/registry.h"
#include "scheduler/dispatcher.h"
#include "server/core/loaded_model.h"
#include "server/core/model.h"
#include "server/core/unloader.h"
#include "server/core/version_state.h"

namespace omserve::server {

// What a load needs besides the folder. The references outlive the loads.
struct LoadContext {
  const std::vector<const acl::Device*>& devices;  // By place in the dispatcher.
  scheduler::Dispatcher& dispatcher;
  memory::HostPool& pinned_pool;
  Clock& clock;
  Unloader& unloader;  // Gets what a load that fails has left in engines.
  std::chrono::milliseconds (*wall_time)() = nullptr;  // Since 1970.
  int max_queue_rows = 0;                              // For models that set none themselves.
};

// Told of the states that a load comes to: kLoading and kWarming, with what led there.
using Reached = std::function<void(VersionState state, const std::string& reason)>;

// One version of a compiled model, from its `file`, and what its configuration names from `folder`;
// on the devices that its instance groups name and known to their engines. Blocks while it loads.
// Errors: the registry's, the configuration's and the engines', each naming the model;
// kInvalidArgument for a group on a device that is not served on, and for an instance that needs
// more of a shared resource than there is. A load that fails leaves nothing.
absl::StatusOr<std::unique_ptr<LoadedModel>> LoadSubgraphModel(
    const LoadContext& context, const registry::ModelFolder& folder, int64_t version,
    config::LoadedModelConfig config, std::shared_ptr<const registry::ModelFile> file,
    const Reached& reached);

// The compiled model that a step names; `version` 0 or below means the highest one served.
using ModelFinder =
    std::function<absl::StatusOr<ModelHandle>(const std::string& model, int64_t version)>;

// A pipeline over models that are loaded already, on the devices that have all of them. Reads the
// files of its host steps. Errors: kInvalidArgument and kNotFound naming the step; what `find`
// returns, with the step in front; kFailedPrecondition naming the steps and where they are when no
// device has all of them; Engine::AddPlan's; kResourceExhausted when caches of steps would take
// more than half of the pinned memory, with the `cached_bytes` that those of other pipelines may
// take.
absl::StatusOr<std::unique_ptr<LoadedModel>> LoadPipelineModel(
    const LoadContext& context, const registry::ModelFolder& folder, int64_t version,
    config::LoadedModelConfig config, size_t cached_bytes, const ModelFinder& find);

}  // namespace omserve::server
