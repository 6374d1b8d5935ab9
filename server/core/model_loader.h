// SPDX-License-Identifier: Apache-2.0
// From a model's folder to a model that can be called.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "config/model_config.h"
#include "runtime/acl/device.h"
#include "runtime/base/clock.h"
#include "runtime/registry/registry.h"
#include "scheduler/engine.h"
#include "server/core/model.h"

namespace omserve::server {

// What a load needs besides the folder. The references outlive the loads.
struct LoadContext {
  const acl::Device& device;
  scheduler::Engine& engine;
  const Clock& clock;
  int max_queue_rows = 0;  // For models that set none themselves.
};

struct LoadedModel {
  ModelHandle model;
  // Null for a pipeline. Must outlive the engine that runs it.
  std::unique_ptr<registry::LoadedSubgraph> subgraph;
};

// One version of a compiled model, on the device and known to the engine. Blocks while it loads.
// Errors: the registry's, the configuration's and the engine's, each naming the model.
absl::StatusOr<LoadedModel> LoadSubgraphModel(const LoadContext& context,
                                              const registry::ModelFolder& folder, int64_t version,
                                              config::LoadedModelConfig config);

// The subgraph that a step names; `version` 0 or below means the highest one served.
using SubgraphFinder = std::function<absl::StatusOr<const scheduler::Subgraph*>(
    const std::string& model, int64_t version)>;

// A pipeline over subgraphs that are loaded already. Reads the files of its host steps.
// Errors: kInvalidArgument and kNotFound naming the step; what `find` returns, with the step in
// front.
absl::StatusOr<LoadedModel> LoadPipelineModel(const Clock& clock,
                                              const registry::ModelFolder& folder, int64_t version,
                                              config::LoadedModelConfig config,
                                              const SubgraphFinder& find);

}  // namespace omserve::server
