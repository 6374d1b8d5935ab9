// SPDX-License-Identifier: Apache-2.0
// The engine's part in steps whose outputs are kept (step_cache.h). Inputs are known by a digest of
// their bytes, taken on a host worker; known outputs go to the next step like those of a host step.
#include <utility>

#include "scheduler/engine.h"
#include "scheduler/step_cache.h"

namespace omserve::scheduler {

void Engine::Obey(const LookUp& command) {
  const ActiveRequest& active = active_.at(command.request);
  HostTask task{.request = command.request, .node = command.node, .rows = active.in->rows};
  for (const int tensor : active.in->plan->nodes[static_cast<size_t>(command.node)].inputs) {
    const TensorPlace& place = active.places[static_cast<size_t>(tensor)];
    task.inputs.push_back({.dims = place.host_dims, .bytes = place.host});
  }
  workers_->Submit(std::move(task));
}

void Engine::FinishLookUp(const HostResult& result) {
  ActiveRequest& active = active_.at(result.request);
  const PlanNode& node = active.in->plan->nodes[static_cast<size_t>(result.node)];
  const std::shared_ptr<const KnownOutputs> known = node.cache->Find(*result.digest);
  if (known == nullptr) {
    active.digests[result.node] = *result.digest;
  } else {
    for (size_t i = 0; i < node.outputs.size(); ++i) {
      if (node.outputs[i] >= 0) {
        TensorPlace& place = active.places[static_cast<size_t>(node.outputs[i])];
        place.host = known->tensors[i].bytes;
        place.host_dims = known->tensors[i].dims;
        place.owner = known;
      }
    }
    NoteOutputs(result.request, active);
    StampHostStep(result);
    if (active.in->trace) {
      active.trace.push_back({.step = node.name, .model = node.subgraph->name, .reason = "cached"});
    }
  }
  Feed(LookedUp{result.request, result.node, known != nullptr});
}

void Engine::KeepOutputs(const ActiveBatch& batch) {
  std::vector<KnownOutputs::Tensor> outputs;
  for (const RowGroup& group : batch.launch.rows) {
    const ActiveRequest& active = active_.at(group.request);
    const auto digest = active.digests.find(group.node);
    if (digest == active.digests.end()) {
      continue;
    }
    const PlanNode& node = active.in->plan->nodes[static_cast<size_t>(group.node)];
    outputs.clear();
    for (const int tensor : node.outputs) {
      KnownOutputs::Tensor& output = outputs.emplace_back();
      if (tensor >= 0) {
        const TensorPlace& place = active.places[static_cast<size_t>(tensor)];
        output = {.dims = place.host_dims, .bytes = place.host};
      }
    }
    node.cache->Keep(digest->second, outputs);
  }
}

}  // namespace omserve::scheduler
